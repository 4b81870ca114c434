"""What the Triton kernels of the gated layer share: tiles of signals and weights on the chip, and the gates.

A tile is (time, row): `BLOCK` samples of `PACK` sequences, whose channels are the rows of the signal one after another,
padded to `WIDE`, a power of two, so that several sequences of few channels fill a tile. The layer's weights are
repeated along a block diagonal, once for each sequence; a NaN in one sequence therefore spoils that time of the others
in its tile, too. Products are of float16, bfloat16 or float32, and summed in float32.
"""

from typing import no_type_check

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
@no_type_check
def place(tile, samples, BLOCK: tl.constexpr):
    """Which rows of a signal a tile has, by the number of its pack of sequences, and which samples."""
    blocks = tl.cdiv(samples, BLOCK)
    return (tile // blocks).to(tl.int64), tile % blocks * BLOCK + tl.arange(0, BLOCK)


@triton.jit
@no_type_check
def tile(pack, time, rows, samples, PACKED: tl.constexpr, WIDE: tl.constexpr):
    """Offsets of a tile (time, row) in a signal of so many rows, and what of it is there."""
    row = tl.arange(0, WIDE)[None, :]
    there = (row < PACKED) & (pack * PACKED + row < rows) & (time[:, None] >= 0) & (time[:, None] < samples)
    return (pack * PACKED + row) * samples + time[:, None], there


@triton.jit
@no_type_check
def of_gate(pack, time, samples, GATES: tl.constexpr, CHANNELS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr):
    """Offsets of the first gate's rows in a signal whose sequences have GATES times the channels."""
    row = tl.arange(0, WIDE)[None, :]
    sequence = pack * PACK + row // CHANNELS
    return (sequence * GATES * CHANNELS + row % CHANNELS) * samples + time[:, None]


@triton.jit
@no_type_check
def matrix(stride, step, CHANNELS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr):
    """Offsets of a matrix of CHANNELS x CHANNELS on the diagonal of one that meets tiles, and what of this is there."""
    row, column = tl.arange(0, WIDE)[:, None], tl.arange(0, WIDE)[None, :]
    there = (row < PACK * CHANNELS) & (row // CHANNELS == column // CHANNELS)
    return row % CHANNELS * stride + column % CHANNELS * step, there


@triton.jit
@no_type_check
def weights(weight_ptr, like, CHANNELS: tl.constexpr, STEP: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr):
    """Weights (row made, row met) of the type of another tile, from one of each STEP numbers."""
    offsets, there = matrix(CHANNELS * STEP, STEP, CHANNELS, PACK, WIDE)
    return tl.load(weight_ptr + offsets, mask=there, other=0.0).to(like.dtype)


@triton.jit
@no_type_check
def bias(pointer, CHANNELS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr):
    """A number for each row, (1, row)."""
    row = tl.arange(0, WIDE)[None, :]
    return tl.load(pointer + row % CHANNELS, mask=row < PACK * CHANNELS, other=0.0)


@triton.jit
@no_type_check
def met(x_ptr, pack, time, rows, samples, PACKED: tl.constexpr, WIDE: tl.constexpr):
    """A tile of a signal; zeros beyond its ends."""
    offsets, there = tile(pack, time, rows, samples, PACKED, WIDE)
    return tl.load(x_ptr + offsets, mask=there, other=0.0)


@triton.jit
@no_type_check
def apart(reach, ALIGNED: tl.constexpr):
    """How many samples taps are apart, in a way that tells the compiler of a multiple of 16."""
    return reach // 16 * 16 if ALIGNED else reach


@triton.jit
@no_type_check
def all_met(
    x_ptr, pack, time, rows, samples, reach, ALIGNED: tl.constexpr, TAPS: tl.constexpr, PACKED: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    """What the taps meet: before, at and after each sample; a single tap meets the sample."""
    x = met(x_ptr, pack, time, rows, samples, PACKED, WIDE)
    if TAPS == 1:
        return x, x, x
    reach = apart(reach, ALIGNED)
    before = met(x_ptr, pack, time - reach, rows, samples, PACKED, WIDE)
    return before, x, met(x_ptr, pack, time + reach, rows, samples, PACKED, WIDE)


@triton.jit
@no_type_check
def convolved(
    before, x, after, weight_ptr, bias_ptr, GATE: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr,
    PACK: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One gate's convolution, (time, row)."""
    made = tl.zeros([BLOCK, WIDE], tl.float32) + bias(bias_ptr + GATE * CHANNELS, CHANNELS, PACK, WIDE)
    at = weight_ptr + GATE * CHANNELS * CHANNELS * TAPS
    if TAPS == 1:
        return tl.dot(x, tl.trans(weights(at, x, CHANNELS, 1, PACK, WIDE)), made, input_precision=PRECISION)
    made = tl.dot(before, tl.trans(weights(at, x, CHANNELS, 3, PACK, WIDE)), made, input_precision=PRECISION)
    made = tl.dot(x, tl.trans(weights(at + 1, x, CHANNELS, 3, PACK, WIDE)), made, input_precision=PRECISION)
    return tl.dot(after, tl.trans(weights(at + 2, x, CHANNELS, 3, PACK, WIDE)), made, input_precision=PRECISION)


@triton.jit
@no_type_check
def powers(
    before, x, after, weight_ptr, bias_ptr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr,
    PACK: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """What gates are made of, (time, row) each: a = exp(-open), d = exp(-2 value), u = exp(given); and given.

    The sigmoid is 1 / (1 + a), tanh (1 - d) / (1 + d), mish given w / (w + 2) for w = u (u + 2). All are bounded so
    that no product of them is infinite, which changes sigmoid and tanh by less than 1e-8, mish by as little of itself;
    NaN stays.
    """
    open_by = convolved(before, x, after, weight_ptr, bias_ptr, 0, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION)
    a = tl.exp2(tl.maximum(open_by, -25.0, propagate_nan=tl.PropagateNan.ALL) * -LOG2_E)
    value = convolved(before, x, after, weight_ptr, bias_ptr, 1, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION)
    d = tl.exp2(tl.maximum(value, -10.0, propagate_nan=tl.PropagateNan.ALL) * (-2 * LOG2_E))
    if GATES == 2:
        return a, d, d, d
    given = convolved(before, x, after, weight_ptr, bias_ptr, 2, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION)
    return a, d, tl.exp2(tl.minimum(given, 10.0, propagate_nan=tl.PropagateNan.ALL) * LOG2_E), given


@triton.jit
@no_type_check
def inverse(positive):
    """Its reciprocal, in fewer instructions than a division takes."""
    root = tl.rsqrt(positive)
    return root * root


@triton.jit
@no_type_check
def summed(
    above_ptr, there, before, x, after, first, second, third, of_bias, TAPS: tl.constexpr, PRECISION: tl.constexpr
):
    """The gradients of one gate's weights, tap by tap, and bias, with what a tile adds to them."""
    above = tl.load(above_ptr, mask=there, other=0.0)
    of_bias += tl.sum(above.to(tl.float32), axis=0)
    above = tl.trans(above)
    if TAPS == 3:
        first = tl.dot(above, before, first, input_precision=PRECISION)
        third = tl.dot(above, after, third, input_precision=PRECISION)
    second = tl.dot(above, x, second, input_precision=PRECISION)
    return first, second, third, of_bias


@triton.jit
@no_type_check
def put(
    to, bias_to, first, second, third, of_bias, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr,
    PACK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write one gate's part of the gradients, of each sequence by itself."""
    if TAPS == 1:
        put_one(to, second, 1, GATES, CHANNELS, TAPS, PACK, WIDE)
    else:
        put_one(to, first, 3, GATES, CHANNELS, TAPS, PACK, WIDE)
        put_one(to + 1, second, 3, GATES, CHANNELS, TAPS, PACK, WIDE)
        put_one(to + 2, third, 3, GATES, CHANNELS, TAPS, PACK, WIDE)
    put_bias(bias_to, of_bias, GATES, CHANNELS, TAPS, PACK, WIDE)


@triton.jit
@no_type_check
def put_one(
    to, made, STEP: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    """The other way of `weights`."""
    ALL: tl.constexpr = (GATES * TAPS * CHANNELS + GATES + CHANNELS + 1) * CHANNELS
    offsets, there = matrix(CHANNELS * STEP, STEP, CHANNELS, PACK, WIDE)
    sequence = tl.arange(0, WIDE)[:, None] // CHANNELS
    tl.store(to + sequence * ALL + offsets, made, mask=there)


@triton.jit
@no_type_check
def put_bias(
    to, made, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr
):
    """The other way of `bias`."""
    ALL: tl.constexpr = (GATES * TAPS * CHANNELS + GATES + CHANNELS + 1) * CHANNELS
    row = tl.arange(0, WIDE)
    tl.store(to + row // CHANNELS * ALL + row % CHANNELS, made, mask=row < PACK * CHANNELS)
