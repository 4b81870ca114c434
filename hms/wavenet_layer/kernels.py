"""Triton kernels of the gated layer (Tillet et al. 2019, doi 10.1145/3315508.3329973), of tiles as `tiles` has them.

Signals have `rows`, the channels of one sequence after another. With ALIGNED `reach` is a multiple of 16 samples: then
a thread fetches several of them at once.
"""

from typing import no_type_check

import triton
import triton.language as tl

from hms.wavenet_layer import tiles


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def forward(
    x_ptr, plus_ptr, weight_ptr, bias_ptr, mix_ptr, mix_bias_ptr, made_ptr, rows, samples, reach,
    ALIGNED: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The layer's output."""
    pack, time = tiles.place(tl.program_id(0), samples, BLOCK)
    before, x, after = tiles.all_met(x_ptr, pack, time, rows, samples, reach, ALIGNED, TAPS, PACK * CHANNELS, WIDE)
    a, d, u, given = tiles.powers(
        before, x, after, weight_ptr, bias_ptr, GATES, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION
    )
    product, under = 1 - d, (1 + a) * (1 + d)
    if GATES == 3:
        w = u * (u + 2)
        product *= given * w
        under *= w + 2
    product = (product * tiles.inverse(under)).to(x.dtype)
    mix = tiles.weights(mix_ptr, x, CHANNELS, 1, PACK, WIDE)
    made = tl.dot(product, tl.trans(mix), input_precision=PRECISION)
    made += tiles.bias(mix_bias_ptr, CHANNELS, PACK, WIDE)
    offsets, there = tiles.tile(pack, time, rows, samples, PACK * CHANNELS, WIDE)
    if plus_ptr is not None:
        made += tl.load(plus_ptr + offsets, mask=there, other=0.0)
    tl.store(made_ptr + offsets, made, mask=there)


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def inside(
    x_ptr, above_ptr, weight_ptr, bias_ptr, mix_ptr, product_ptr, of_convolved_ptr, rows, samples, reach,
    ALIGNED: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """The gates' product, and the gradient of what was convolved for each gate."""
    pack, time = tiles.place(tl.program_id(0), samples, BLOCK)
    before, x, after = tiles.all_met(x_ptr, pack, time, rows, samples, reach, ALIGNED, TAPS, PACK * CHANNELS, WIDE)
    a, d, u, given = tiles.powers(
        before, x, after, weight_ptr, bias_ptr, GATES, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION
    )
    offsets, there = tiles.tile(pack, time, rows, samples, PACK * CHANNELS, WIDE)
    of_gate = of_convolved_ptr + tiles.of_gate(pack, time, samples, GATES, CHANNELS, PACK, WIDE)
    above = tl.load(above_ptr + offsets, mask=there, other=0.0)
    mix = tiles.weights(mix_ptr, x, CHANNELS, 1, PACK, WIDE)
    of_product = tl.dot(above, mix, input_precision=PRECISION)
    if GATES == 3:
        w, both = u * (u + 2), (1 + a) * (1 + d)
        under = tiles.inverse(both * (w + 2))
        of_mish, of_both = both * under, (w + 2) * under
    else:
        of_both = tiles.inverse((1 + a) * (1 + d))
    opened, tanh = of_both * (1 + d), 2 * of_both * (1 + a) - 1
    product = opened * tanh
    if GATES == 3:
        level = w * of_mish
        slope = level + 4 * given * u * (1 + u) * of_mish * of_mish
        tl.store(of_gate + 2 * CHANNELS * samples, of_product * product * slope, mask=there)
        of_product *= given * level
        tl.store(product_ptr + offsets, product * given * level, mask=there)
    else:
        tl.store(product_ptr + offsets, product, mask=there)
    tl.store(of_gate, of_product * product * (1 - opened), mask=there)
    tl.store(of_gate + CHANNELS * samples, of_product * opened * (1 - tanh * tanh), mask=there)


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def of_weights(
    of_convolved_ptr, x_ptr, above_ptr, product_ptr, of_weights_ptr, rows, samples, reach,
    ALIGNED: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Each program's part of the gradients of all weights and biases: of each gate's, then of the mix."""
    PACKED: tl.constexpr = PACK * CHANNELS
    SIZE: tl.constexpr = CHANNELS * CHANNELS
    zeros, zero = tl.zeros([WIDE, WIDE], tl.float32), tl.zeros([WIDE], tl.float32)
    open_0, open_1, open_2, value_0, value_1, value_2 = zeros, zeros, zeros, zeros, zeros, zeros
    given_0, given_1, given_2, of_mix = zeros, zeros, zeros, zeros
    open_bias, value_bias, given_bias, of_mix_bias = zero, zero, zero, zero
    count = tl.cdiv(rows, PACKED) * tl.cdiv(samples, BLOCK)
    for tile in tl.range(tl.program_id(0), count, tl.num_programs(0), num_stages=1):
        pack, time = tiles.place(tile, samples, BLOCK)
        before, x, after = tiles.all_met(x_ptr, pack, time, rows, samples, reach, ALIGNED, TAPS, PACKED, WIDE)
        offsets, there = tiles.tile(pack, time, rows, samples, PACKED, WIDE)
        of_gate = of_convolved_ptr + tiles.of_gate(pack, time, samples, GATES, CHANNELS, PACK, WIDE)
        open_0, open_1, open_2, open_bias = tiles.summed(
            of_gate, there, before, x, after, open_0, open_1, open_2, open_bias, TAPS, PRECISION
        )
        value_0, value_1, value_2, value_bias = tiles.summed(
            of_gate + CHANNELS * samples,
            there,
            before,
            x,
            after,
            value_0,
            value_1,
            value_2,
            value_bias,
            TAPS,
            PRECISION,
        )
        if GATES == 3:
            of_gate += 2 * CHANNELS * samples
            given_0, given_1, given_2, given_bias = tiles.summed(
                of_gate, there, before, x, after, given_0, given_1, given_2, given_bias, TAPS, PRECISION
            )
        above = tl.load(above_ptr + offsets, mask=there, other=0.0)
        of_mix_bias += tl.sum(above.to(tl.float32), axis=0)
        product = tl.load(product_ptr + offsets, mask=there, other=0.0)
        of_mix = tl.dot(tl.trans(above), product, of_mix, input_precision=PRECISION)
    part = of_weights_ptr + tl.program_id(0) * PACK * (GATES * (TAPS * SIZE + CHANNELS) + SIZE + CHANNELS)
    bias = part + GATES * TAPS * SIZE
    tiles.put(part, bias, open_0, open_1, open_2, open_bias, GATES, CHANNELS, TAPS, PACK, WIDE)
    part += TAPS * SIZE
    tiles.put(part, bias + CHANNELS, value_0, value_1, value_2, value_bias, GATES, CHANNELS, TAPS, PACK, WIDE)
    if GATES == 3:
        part += TAPS * SIZE
        tiles.put(part, bias + 2 * CHANNELS, given_0, given_1, given_2, given_bias, GATES, CHANNELS, TAPS, PACK, WIDE)
    part = bias + GATES * CHANNELS
    tiles.put_one(part, of_mix, 1, GATES, CHANNELS, TAPS, PACK, WIDE)
    tiles.put_bias(part + SIZE, of_mix_bias, GATES, CHANNELS, TAPS, PACK, WIDE)


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def of_x(
    of_convolved_ptr, weight_ptr, of_x_ptr, rows, samples, reach, ALIGNED: tl.constexpr, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """The gradient of the layer's input: each sample has met each tap of each gate."""
    pack, time = tiles.place(tl.program_id(0), samples, BLOCK)
    made = tl.zeros([BLOCK, WIDE], tl.float32)
    for tap in tl.range(TAPS, num_stages=1):  # not unrolled, which would take too many registers
        at = time - (tap - TAPS // 2) * tiles.apart(reach, ALIGNED)
        _, there = tiles.tile(pack, at, rows, samples, PACK * CHANNELS, WIDE)
        of_gate = of_convolved_ptr + tiles.of_gate(pack, at, samples, GATES, CHANNELS, PACK, WIDE)
        for gate in tl.static_range(GATES):
            of_convolved = tl.load(of_gate + gate * CHANNELS * samples, mask=there, other=0.0)
            weight_at = weight_ptr + gate * CHANNELS * CHANNELS * TAPS + tap
            weight = tiles.weights(weight_at, of_convolved, CHANNELS, TAPS, PACK, WIDE)
            made = tl.dot(of_convolved, weight, made, input_precision=PRECISION)
    offsets, there = tiles.tile(pack, time, rows, samples, PACK * CHANNELS, WIDE)
    tl.store(of_x_ptr + offsets, made, mask=there)
