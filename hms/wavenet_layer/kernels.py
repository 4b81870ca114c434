"""Triton kernels of the gated layer. A tile on the chip is `BLOCK` samples of all channels of one sequence.

Tillet et al. 2019, doi 10.1145/3315508.3329973. A tile is (time, channel), its channels padded to `WIDE`, a power of
two. Products are of float16, bfloat16 or float32, and summed in float32.
"""

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def _place(tile, samples, BLOCK: tl.constexpr):
    """A tile's sequence, and its samples."""
    blocks = tl.cdiv(samples, BLOCK)
    return (tile // blocks).to(tl.int64), tile % blocks * BLOCK + tl.arange(0, BLOCK)


@triton.jit
@no_type_check
def _tile(sequence, time, samples, CHANNELS: tl.constexpr, WIDE: tl.constexpr):
    """Offsets of a tile (time, channel), and what of it is there."""
    channel = tl.arange(0, WIDE)[None, :]
    there = (channel < CHANNELS) & (time[:, None] >= 0) & (time[:, None] < samples)
    return (sequence * CHANNELS + channel) * samples + time[:, None], there


@triton.jit
@no_type_check
def _matrix(pointer, stride, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr):
    """Offsets of a matrix (WIDE, DEEP) of which HEIGHT x WIDTH are there."""
    row, column = tl.arange(0, WIDE)[:, None], tl.arange(0, DEEP)[None, :]
    return pointer + row * stride + column, (row < HEIGHT) & (column < WIDTH)


@triton.jit
@no_type_check
def _bias(pointer, CHANNELS: tl.constexpr, WIDE: tl.constexpr):
    channel = tl.arange(0, WIDE)[None, :]
    return tl.load(pointer + channel, mask=channel < CHANNELS, other=0.0)


@triton.jit
@no_type_check
def _met(
    x_ptr, sequence, time, samples, reach, first,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, DEEP: tl.constexpr,
):  # fmt: skip
    """What EACH taps from the `first` meet, (time, tap and channel); zeros beyond the signal's ends."""
    column = tl.arange(0, DEEP)[None, :]
    if EACH == 1:
        met = time[:, None] + (first - TAPS // 2) * reach
    else:
        met = time[:, None] + (first + column // CHANNELS - TAPS // 2) * reach
    there = (column < EACH * CHANNELS) & (met >= 0) & (met < samples)
    return tl.load(x_ptr + (sequence * CHANNELS + column % CHANNELS) * samples + met, mask=there, other=0.0)


@triton.jit
@no_type_check
def _convolved(
    x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach, GATES: tl.constexpr, CHANNELS: tl.constexpr,
    TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """(time, channel) each: what opens, what is let through and, of three gates, what scales it, else zeros."""
    WIDTH: tl.constexpr = TAPS * CHANNELS
    SIZE: tl.constexpr = CHANNELS * WIDTH
    open_by = tl.zeros([BLOCK, WIDE], tl.float32) + _bias(bias_ptr, CHANNELS, WIDE)
    value = tl.zeros([BLOCK, WIDE], tl.float32) + _bias(bias_ptr + CHANNELS, CHANNELS, WIDE)
    given = tl.zeros([BLOCK, WIDE], tl.float32)
    if GATES == 3:
        given += _bias(bias_ptr + 2 * CHANNELS, CHANNELS, WIDE)
    for first in tl.static_range(0, TAPS, EACH):
        x = _met(x_ptr, sequence, time, samples, reach, first, CHANNELS, TAPS, EACH, DEEP)
        weights, there = _matrix(weight_ptr + first * CHANNELS, WIDTH, CHANNELS, EACH * CHANNELS, WIDE, DEEP)
        weight = tl.load(weights, mask=there, other=0.0).to(x.dtype)
        open_by = tl.dot(x, tl.trans(weight), open_by, input_precision=PRECISION)
        weight = tl.load(weights + SIZE, mask=there, other=0.0).to(x.dtype)
        value = tl.dot(x, tl.trans(weight), value, input_precision=PRECISION)
        if GATES == 3:
            weight = tl.load(weights + 2 * SIZE, mask=there, other=0.0).to(x.dtype)
            given = tl.dot(x, tl.trans(weight), given, input_precision=PRECISION)
    return open_by, value, given


@triton.jit
@no_type_check
def forward(
    x_ptr, plus_ptr, weight_ptr, bias_ptr, mix_ptr, mix_bias_ptr, made_ptr, samples, reach, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The layer's output."""
    sequence, time = _place(tl.program_id(0), samples, BLOCK)
    open_by, value, given = _convolved(
        x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach,
        GATES, CHANNELS, TAPS, EACH, WIDE, DEEP, BLOCK, PRECISION,
    )  # fmt: skip
    shut, down = tl.exp(-tl.maximum(open_by, -40.0)), tl.exp(-2 * tl.maximum(value, -20.0))
    product = (1 - down) / ((1 + shut) * (1 + down))  # sigmoid and tanh by one division
    if GATES == 3:
        up = tl.exp(tl.minimum(given, 20.0))
        product *= given * (up * (up + 2) / (up * (up + 2) + 2))  # mish: tanh(softplus(x)) by one exponential
    mixes, there = _matrix(mix_ptr, CHANNELS, CHANNELS, CHANNELS, WIDE, WIDE)
    mix = tl.load(mixes, mask=there, other=0.0).to(x_ptr.dtype.element_ty)
    made = tl.dot(product.to(mix.dtype), tl.trans(mix), input_precision=PRECISION) + _bias(mix_bias_ptr, CHANNELS, WIDE)
    offsets, there = _tile(sequence, time, samples, CHANNELS, WIDE)
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
    sequence, time = _place(tl.program_id(0), samples, BLOCK)
    open_by, value, given = _convolved(
        x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach,
        GATES, CHANNELS, TAPS, EACH, WIDE, DEEP, BLOCK, PRECISION,
    )  # fmt: skip
    opened, tanh = tl.sigmoid(open_by), 2 * tl.sigmoid(2 * value) - 1
    product = opened * tanh
    offsets, there = _tile(sequence, time, samples, CHANNELS, WIDE)
    above = tl.load(above_ptr + offsets, mask=there, other=0.0)
    mixes, whole = _matrix(mix_ptr, CHANNELS, CHANNELS, CHANNELS, WIDE, WIDE)
    of_product = tl.dot(above, tl.load(mixes, mask=whole, other=0.0).to(above.dtype), input_precision=PRECISION)
    of_gate_ptr = of_convolved_ptr + sequence * (GATES - 1) * CHANNELS * samples + offsets
    if GATES == 3:
        up = tl.exp(tl.minimum(given, 20.0))
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
    sequence, time = _place(tl.program_id(0), samples, BLOCK)
    of_x = tl.zeros([BLOCK, WIDE], tl.float32)
    for gate in tl.static_range(GATES):
        for tap in tl.static_range(TAPS):
            met = time - (tap - TAPS // 2) * reach
            offsets, there = _tile(sequence * GATES + gate, met, samples, CHANNELS, WIDE)
            of_convolved = tl.load(of_convolved_ptr + offsets, mask=there, other=0.0)
            weight_at = weight_ptr + (gate * CHANNELS * TAPS + tap) * CHANNELS
            weights, there = _matrix(weight_at, TAPS * CHANNELS, CHANNELS, CHANNELS, WIDE, WIDE)
            weight = tl.load(weights, mask=there, other=0.0).to(of_convolved.dtype)
            of_x = tl.dot(of_convolved, weight, of_x, input_precision=PRECISION)
    offsets, there = _tile(sequence, time, samples, CHANNELS, WIDE)
    tl.store(of_x_ptr + offsets, of_x, mask=there)


@triton.jit
@no_type_check
def of_weights(
    above_ptr, x_ptr, of_weight_ptr, of_bias_ptr, sequences, samples, reach, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr,
    BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients of one gate's weights and bias, from that of what they make: each program's part of the sum."""
    gate, tiles = tl.program_id(1), sequences * tl.cdiv(samples, BLOCK)
    of_first = tl.zeros([WIDE, DEEP], tl.float32)
    of_second = tl.zeros([WIDE, DEEP], tl.float32)
    of_third = tl.zeros([WIDE, DEEP], tl.float32)
    of_bias = tl.zeros([WIDE], tl.float32)
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        sequence, time = _place(tile, samples, BLOCK)
        offsets, there = _tile(sequence * GATES + gate, time, samples, CHANNELS, WIDE)
        above = tl.load(above_ptr + offsets, mask=there, other=0.0)
        of_bias += tl.sum(above.to(tl.float32), axis=0)
        above = tl.trans(above)
        x = _met(x_ptr, sequence, time, samples, reach, 0, CHANNELS, TAPS, EACH, DEEP)
        of_first = tl.dot(above, x, of_first, input_precision=PRECISION)
        if TAPS > EACH:
            x = _met(x_ptr, sequence, time, samples, reach, 1, CHANNELS, TAPS, EACH, DEEP)
            of_second = tl.dot(above, x, of_second, input_precision=PRECISION)
            x = _met(x_ptr, sequence, time, samples, reach, 2, CHANNELS, TAPS, EACH, DEEP)
            of_third = tl.dot(above, x, of_third, input_precision=PRECISION)
    row = (tl.program_id(0) * GATES + gate) * CHANNELS
    weights, there = _matrix(
        of_weight_ptr + row * TAPS * CHANNELS, TAPS * CHANNELS, CHANNELS, EACH * CHANNELS, WIDE, DEEP
    )  # fmt: skip
    tl.store(weights, of_first, mask=there)
    if TAPS > EACH:
        tl.store(weights + CHANNELS, of_second, mask=there)
        tl.store(weights + 2 * CHANNELS, of_third, mask=there)
    channel = tl.arange(0, WIDE)
    tl.store(of_bias_ptr + row + channel, of_bias, mask=channel < CHANNELS)
