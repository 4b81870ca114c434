"""Triton kernels of the gated layer (Tillet et al. 2019, doi 10.1145/3315508.3329973), of tiles as `tiles` has them."""

from typing import no_type_check

import triton
import triton.language as tl

from hms.wavenet_layer import tiles


@triton.jit
@no_type_check
def forward(
    x_ptr, plus_ptr, weight_ptr, bias_ptr, mix_ptr, mix_bias_ptr, made_ptr, samples, reach, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The layer's output."""
    sequence, time = tiles.place(tl.program_id(0), samples, BLOCK)
    open_by, value, given = tiles.convolved(
        x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach,
        GATES, CHANNELS, TAPS, EACH, WIDE, DEEP, BLOCK, PRECISION,
    )  # fmt: skip
    shut, down = tl.exp(-tiles.at_least(open_by, -40.0)), tl.exp(-2 * tiles.at_least(value, -20.0))
    product = (1 - down) / ((1 + shut) * (1 + down))  # sigmoid and tanh by one division
    if GATES == 3:
        up = tl.exp(-tiles.at_least(-given, -20.0))
        product *= given * (up * (up + 2) / (up * (up + 2) + 2))  # mish: tanh(softplus(x)) by one exponential
    mixes, there = tiles.matrix(mix_ptr, CHANNELS, CHANNELS, CHANNELS, WIDE, WIDE)
    mix = tl.load(mixes, mask=there, other=0.0).to(x_ptr.dtype.element_ty)
    made = tl.dot(product.to(mix.dtype), tl.trans(mix), input_precision=PRECISION)
    made += tiles.bias(mix_bias_ptr, CHANNELS, WIDE)
    offsets, there = tiles.tile(sequence, time, samples, CHANNELS, WIDE)
    if plus_ptr is not None:
        made += tl.load(plus_ptr + offsets, mask=there, other=0.0)
    tl.store(made_ptr + offsets, made, mask=there)


@triton.jit
@no_type_check
def inside(
    x_ptr, above_ptr, weight_ptr, bias_ptr, mix_ptr, product_ptr, of_convolved_ptr, samples, reach, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gates' product, and the gradient of what was convolved for each gate."""
    sequence, time = tiles.place(tl.program_id(0), samples, BLOCK)
    open_by, value, given = tiles.convolved(
        x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach,
        GATES, CHANNELS, TAPS, EACH, WIDE, DEEP, BLOCK, PRECISION,
    )  # fmt: skip
    opened, tanh = tl.sigmoid(open_by), 2 * tl.sigmoid(2 * value) - 1
    product = opened * tanh
    offsets, there = tiles.tile(sequence, time, samples, CHANNELS, WIDE)
    above = tl.load(above_ptr + offsets, mask=there, other=0.0)
    mixes, whole = tiles.matrix(mix_ptr, CHANNELS, CHANNELS, CHANNELS, WIDE, WIDE)
    of_product = tl.dot(above, tl.load(mixes, mask=whole, other=0.0).to(above.dtype), input_precision=PRECISION)
    of_gate_ptr = of_convolved_ptr + sequence * (GATES - 1) * CHANNELS * samples + offsets
    if GATES == 3:
        up = tl.exp(-tiles.at_least(-given, -20.0))
        under = 1 / (up * (up + 2) + 2)
        level = up * (up + 2) * under
        slope = level + given * 4 * up * (1 + up) * under * under
        tl.store(of_gate_ptr + 2 * CHANNELS * samples, of_product * product * slope, mask=there)
        of_product *= given * level
        product *= given * level
    tl.store(of_gate_ptr, of_product * tanh * opened * (1 - opened), mask=there)
    tl.store(of_gate_ptr + CHANNELS * samples, of_product * opened * (1 - tanh * tanh), mask=there)
    tl.store(product_ptr + offsets, product, mask=there)


@triton.jit
@no_type_check
def of_x(
    of_convolved_ptr, weight_ptr, of_x_ptr, samples, reach, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gradient of the layer's input: each sample has met each tap of each gate."""
    sequence, time = tiles.place(tl.program_id(0), samples, BLOCK)
    made = tl.zeros([BLOCK, WIDE], tl.float32)
    for gate in tl.static_range(GATES):
        for tap in tl.static_range(TAPS):
            at = time - (tap - TAPS // 2) * reach
            offsets, there = tiles.tile(sequence * GATES + gate, at, samples, CHANNELS, WIDE)
            of_convolved = tl.load(of_convolved_ptr + offsets, mask=there, other=0.0)
            weight_at = weight_ptr + (gate * CHANNELS * TAPS + tap) * CHANNELS
            weights, there = tiles.matrix(weight_at, TAPS * CHANNELS, CHANNELS, CHANNELS, WIDE, WIDE)
            weight = tl.load(weights, mask=there, other=0.0).to(of_convolved.dtype)
            made = tl.dot(of_convolved, weight, made, input_precision=PRECISION)
    offsets, there = tiles.tile(sequence, time, samples, CHANNELS, WIDE)
    tl.store(of_x_ptr + offsets, made, mask=there)


@triton.jit
@no_type_check
def of_weights(
    above_ptr, x_ptr, of_weight_ptr, of_bias_ptr, sequences, samples, reach, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients of one gate's weights and bias, from that of what they make: each program's part of the sum."""
    gate, count = tl.program_id(1), sequences * tl.cdiv(samples, BLOCK)
    of_first = tl.zeros([WIDE, DEEP], tl.float32)
    of_second = tl.zeros([WIDE, DEEP], tl.float32)
    of_third = tl.zeros([WIDE, DEEP], tl.float32)
    of_bias = tl.zeros([WIDE], tl.float32)
    for tile in range(tl.program_id(0), count, tl.num_programs(0)):
        sequence, time = tiles.place(tile, samples, BLOCK)
        offsets, there = tiles.tile(sequence * GATES + gate, time, samples, CHANNELS, WIDE)
        above = tl.load(above_ptr + offsets, mask=there, other=0.0)
        of_bias += tl.sum(above.to(tl.float32), axis=0)
        above = tl.trans(above)
        x = tiles.met(x_ptr, sequence, time, samples, reach, 0, CHANNELS, TAPS, EACH, DEEP)
        of_first = tl.dot(above, x, of_first, input_precision=PRECISION)
        if TAPS > EACH:
            x = tiles.met(x_ptr, sequence, time, samples, reach, 1, CHANNELS, TAPS, EACH, DEEP)
            of_second = tl.dot(above, x, of_second, input_precision=PRECISION)
            x = tiles.met(x_ptr, sequence, time, samples, reach, 2, CHANNELS, TAPS, EACH, DEEP)
            of_third = tl.dot(above, x, of_third, input_precision=PRECISION)
    row = (tl.program_id(0) * GATES + gate) * CHANNELS
    weights, there = tiles.matrix(
        of_weight_ptr + row * TAPS * CHANNELS, TAPS * CHANNELS, CHANNELS, EACH * CHANNELS, WIDE, DEEP
    )  # fmt: skip
    tl.store(weights, of_first, mask=there)
    if TAPS > EACH:
        tl.store(weights + CHANNELS, of_second, mask=there)
        tl.store(weights + 2 * CHANNELS, of_third, mask=there)
    channel = tl.arange(0, WIDE)
    tl.store(of_bias_ptr + row + channel, of_bias, mask=channel < CHANNELS)
