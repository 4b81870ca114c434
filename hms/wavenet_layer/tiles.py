"""What the Triton kernels of the gated layer share: tiles of signals and weights on the chip.

A tile of a signal is (time, channel): `BLOCK` samples of all channels of one sequence, padded to `WIDE`, a power of
two. Products are of float16, bfloat16 or float32, and summed in float32.
"""

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def place(tile, samples, BLOCK: tl.constexpr):
    """A tile's sequence, and its samples."""
    blocks = tl.cdiv(samples, BLOCK)
    return (tile // blocks).to(tl.int64), tile % blocks * BLOCK + tl.arange(0, BLOCK)


@triton.jit
@no_type_check
def tile(sequence, time, samples, CHANNELS: tl.constexpr, WIDE: tl.constexpr):
    """Offsets of a tile (time, channel), and what of it is there."""
    channel = tl.arange(0, WIDE)[None, :]
    there = (channel < CHANNELS) & (time[:, None] >= 0) & (time[:, None] < samples)
    return (sequence * CHANNELS + channel) * samples + time[:, None], there


@triton.jit
@no_type_check
def matrix(pointer, stride, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr):
    """Offsets of a matrix (WIDE, DEEP) of which HEIGHT x WIDTH are there."""
    row, column = tl.arange(0, WIDE)[:, None], tl.arange(0, DEEP)[None, :]
    return pointer + row * stride + column, (row < HEIGHT) & (column < WIDTH)


@triton.jit
@no_type_check
def bias(pointer, CHANNELS: tl.constexpr, WIDE: tl.constexpr):
    """A number for each channel, (1, channel)."""
    channel = tl.arange(0, WIDE)[None, :]
    return tl.load(pointer + channel, mask=channel < CHANNELS, other=0.0)


@triton.jit
@no_type_check
def met(
    x_ptr, sequence, time, samples, reach, first,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, EACH: tl.constexpr, DEEP: tl.constexpr,
):  # fmt: skip
    """What EACH taps from the `first` meet, (time, tap and channel); zeros beyond the signal's ends."""
    column = tl.arange(0, DEEP)[None, :]
    if EACH == 1:
        at = time[:, None] + (first - TAPS // 2) * reach
    else:
        at = time[:, None] + (first + column // CHANNELS - TAPS // 2) * reach
    there = (column < EACH * CHANNELS) & (at >= 0) & (at < samples)
    return tl.load(x_ptr + (sequence * CHANNELS + column % CHANNELS) * samples + at, mask=there, other=0.0)


@triton.jit
@no_type_check
def convolved(
    x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach, GATES: tl.constexpr, CHANNELS: tl.constexpr,
    TAPS: tl.constexpr, EACH: tl.constexpr, WIDE: tl.constexpr, DEEP: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """(time, channel) each: what opens, what is let through and, of three gates, what scales it, else zeros."""
    WIDTH: tl.constexpr = TAPS * CHANNELS
    SIZE: tl.constexpr = CHANNELS * WIDTH
    open_by = tl.zeros([BLOCK, WIDE], tl.float32) + bias(bias_ptr, CHANNELS, WIDE)
    value = tl.zeros([BLOCK, WIDE], tl.float32) + bias(bias_ptr + CHANNELS, CHANNELS, WIDE)
    given = tl.zeros([BLOCK, WIDE], tl.float32)
    if GATES == 3:
        given += bias(bias_ptr + 2 * CHANNELS, CHANNELS, WIDE)
    for first in tl.static_range(0, TAPS, EACH):
        x = met(x_ptr, sequence, time, samples, reach, first, CHANNELS, TAPS, EACH, DEEP)
        weights, there = matrix(weight_ptr + first * CHANNELS, WIDTH, CHANNELS, EACH * CHANNELS, WIDE, DEEP)
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
def at_least(values, least):
    """Bounded, so that its exponential is; NaN stays."""
    return tl.maximum(values, least, propagate_nan=tl.PropagateNan.ALL)
