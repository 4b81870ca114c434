"""What the Triton kernels of the gated layer share: tiles of signals and weights on the chip, and the gates.

A tile is (time, row): `BLOCK` samples of `PACK` sequences, so that several sequences of few channels fill it. Its rows
are the channels of one sequence after another, padded to `WIDE`, a power of two. The layer's weights are repeated along
a block diagonal, once for each sequence; a NaN in one sequence therefore also spoils that time in the other sequences
of its tile. Products are of float16, bfloat16 or float32, and summed in float32.
"""

from typing import no_type_check

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
@no_type_check
def locate(tile, samples, BLOCK: tl.constexpr):
    """The pack of sequences and the samples of tile number `tile`."""
    blocks = tl.cdiv(samples, BLOCK)
    return (tile // blocks).to(tl.int64), tile % blocks * BLOCK + tl.arange(0, BLOCK)


@triton.jit
@no_type_check
def tile_offsets(pack, time, rows, samples, PACKED: tl.constexpr, WIDE: tl.constexpr):
    """Offsets of a tile (time, row) in a signal of `rows` rows, and a mask of those that exist."""
    row = tl.arange(0, WIDE)[None, :]
    mask = (row < PACKED) & (pack * PACKED + row < rows) & (time[:, None] >= 0) & (time[:, None] < samples)
    return (pack * PACKED + row) * samples + time[:, None], mask


@triton.jit
@no_type_check
def gate_offsets(
    pack, time, samples, GATES: tl.constexpr, CHANNELS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr
):
    """Offsets of the first gate's rows in a signal whose sequences have GATES times as many channels."""
    row = tl.arange(0, WIDE)[None, :]
    sequence = pack * PACK + row // CHANNELS
    return (sequence * GATES * CHANNELS + row % CHANNELS) * samples + time[:, None]


@triton.jit
@no_type_check
def matrix_offsets(stride, step, CHANNELS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr):
    """Offsets of a CHANNELS x CHANNELS matrix repeated along the diagonal of one as wide as a tile, and their mask."""
    row, column = tl.arange(0, WIDE)[:, None], tl.arange(0, WIDE)[None, :]
    mask = (row < PACK * CHANNELS) & (row // CHANNELS == column // CHANNELS)
    return row % CHANNELS * stride + column % CHANNELS * step, mask


@triton.jit
@no_type_check
def load_weights(weight_ptr, like, CHANNELS: tl.constexpr, STEP: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr):
    """Weights (output row, input row) in the type of the tile `like`: every STEP-th number in memory."""
    offsets, mask = matrix_offsets(CHANNELS * STEP, STEP, CHANNELS, PACK, WIDE)
    return tl.load(weight_ptr + offsets, mask=mask, other=0.0).to(like.dtype)


@triton.jit
@no_type_check
def load_bias(pointer, CHANNELS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr):
    """The bias of each row, (1, row)."""
    row = tl.arange(0, WIDE)[None, :]
    return tl.load(pointer + row % CHANNELS, mask=row < PACK * CHANNELS, other=0.0)


@triton.jit
@no_type_check
def load_tile(x_ptr, pack, time, rows, samples, PACKED: tl.constexpr, WIDE: tl.constexpr):
    """A tile of a signal, with zeros beyond its ends."""
    offsets, mask = tile_offsets(pack, time, rows, samples, PACKED, WIDE)
    return tl.load(x_ptr + offsets, mask=mask, other=0.0)


@triton.jit
@no_type_check
def tap_distance(reach, ALIGNED: tl.constexpr):
    """`reach` in a form that tells the compiler when it is a multiple of 16."""
    return reach // 16 * 16 if ALIGNED else reach


@triton.jit
@no_type_check
def load_taps(
    x_ptr, pack, time, rows, samples, reach, ALIGNED: tl.constexpr, TAPS: tl.constexpr, PACKED: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    """The tiles that the taps meet: before, at and after each sample, or three times the same for a single tap."""
    x = load_tile(x_ptr, pack, time, rows, samples, PACKED, WIDE)
    if TAPS == 1:
        return x, x, x
    reach = tap_distance(reach, ALIGNED)
    before = load_tile(x_ptr, pack, time - reach, rows, samples, PACKED, WIDE)
    return before, x, load_tile(x_ptr, pack, time + reach, rows, samples, PACKED, WIDE)


@triton.jit
@no_type_check
def convolve(
    before, x, after, weight_ptr, bias_ptr, GATE: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr,
    PACK: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Convolve for one gate, (time, row)."""
    output = tl.zeros([BLOCK, WIDE], tl.float32) + load_bias(bias_ptr + GATE * CHANNELS, CHANNELS, PACK, WIDE)
    at = weight_ptr + GATE * CHANNELS * CHANNELS * TAPS
    if TAPS == 1:
        return tl.dot(x, tl.trans(load_weights(at, x, CHANNELS, 1, PACK, WIDE)), output, input_precision=PRECISION)
    output = tl.dot(before, tl.trans(load_weights(at, x, CHANNELS, 3, PACK, WIDE)), output, input_precision=PRECISION)
    output = tl.dot(x, tl.trans(load_weights(at + 1, x, CHANNELS, 3, PACK, WIDE)), output, input_precision=PRECISION)
    return tl.dot(after, tl.trans(load_weights(at + 2, x, CHANNELS, 3, PACK, WIDE)), output, input_precision=PRECISION)


@triton.jit
@no_type_check
def exponentials(
    before, x, after, weight_ptr, bias_ptr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr,
    PACK: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """What the gates are computed from, (time, row) each: a, d, u and mish_in.

    With a = exp(-sigmoid_in), d = exp(-2 tanh_in), u = exp(mish_in) and w = u (u + 2), the sigmoid is 1 / (1 + a), tanh
    is (1 - d) / (1 + d), and mish is mish_in w / (w + 2). The exponentials are bounded so that no product of them is
    infinite, which changes sigmoid and tanh by less than 1e-8, and mish by as small a fraction of itself; NaN stays.
    """
    sigmoid_in = convolve(before, x, after, weight_ptr, bias_ptr, 0, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION)
    a = tl.exp2(tl.maximum(sigmoid_in, -25.0, propagate_nan=tl.PropagateNan.ALL) * -LOG2_E)
    tanh_in = convolve(before, x, after, weight_ptr, bias_ptr, 1, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION)
    d = tl.exp2(tl.maximum(tanh_in, -10.0, propagate_nan=tl.PropagateNan.ALL) * (-2 * LOG2_E))
    if GATES == 2:
        return a, d, d, d
    mish_in = convolve(before, x, after, weight_ptr, bias_ptr, 2, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION)
    return a, d, tl.exp2(tl.minimum(mish_in, 10.0, propagate_nan=tl.PropagateNan.ALL) * LOG2_E), mish_in


@triton.jit
@no_type_check
def reciprocal(positive):
    """1 / `positive`, in fewer instructions than a division."""
    root = tl.rsqrt(positive)
    return root * root


@triton.jit
@no_type_check
def accumulate(
    grad_ptr, mask, before, x, after, first, second, third, bias, TAPS: tl.constexpr, PRECISION: tl.constexpr
):
    """Add a tile's part to the gradients of one gate's weights, tap by tap, and bias."""
    grad = tl.load(grad_ptr, mask=mask, other=0.0)
    bias += tl.sum(grad.to(tl.float32), axis=0)
    grad = tl.trans(grad)
    if TAPS == 3:
        first = tl.dot(grad, before, first, input_precision=PRECISION)
        third = tl.dot(grad, after, third, input_precision=PRECISION)
    second = tl.dot(grad, x, second, input_precision=PRECISION)
    return first, second, third, bias


@triton.jit
@no_type_check
def store_gate(
    to, bias_to, first, second, third, bias, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr,
    PACK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Write one gate's part of the gradients, separately for each sequence."""
    if TAPS == 1:
        store_weight(to, second, 1, GATES, CHANNELS, TAPS, PACK, WIDE)
    else:
        store_weight(to, first, 3, GATES, CHANNELS, TAPS, PACK, WIDE)
        store_weight(to + 1, second, 3, GATES, CHANNELS, TAPS, PACK, WIDE)
        store_weight(to + 2, third, 3, GATES, CHANNELS, TAPS, PACK, WIDE)
    store_bias(bias_to, bias, GATES, CHANNELS, TAPS, PACK, WIDE)


@triton.jit
@no_type_check
def store_weight(
    to, grad, STEP: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr,
):  # fmt: skip
    """Write the gradient of a weight matrix: the inverse of `load_weights`."""
    ALL: tl.constexpr = (GATES * TAPS * CHANNELS + GATES + CHANNELS + 1) * CHANNELS
    offsets, mask = matrix_offsets(CHANNELS * STEP, STEP, CHANNELS, PACK, WIDE)
    sequence = tl.arange(0, WIDE)[:, None] // CHANNELS
    tl.store(to + sequence * ALL + offsets, grad, mask=mask)


@triton.jit
@no_type_check
def store_bias(
    to, grad, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr
):
    """Write the gradient of a bias: the inverse of `load_bias`."""
    ALL: tl.constexpr = (GATES * TAPS * CHANNELS + GATES + CHANNELS + 1) * CHANNELS
    row = tl.arange(0, WIDE)
    tl.store(to + row // CHANNELS * ALL + row % CHANNELS, grad, mask=row < PACK * CHANNELS)
