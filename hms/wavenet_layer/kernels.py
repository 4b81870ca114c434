"""Triton kernels of the gated layer: each program makes some samples of all channels of one sequence.

Tillet et al. 2019, doi 10.1145/3315508.3329973. A tile on the chip is (time, channel), its channels padded to `WIDE`, a
power of two, 16 at least; products are of float16, bfloat16 or float32 and summed in float32.
"""

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def _tile(samples, BLOCK: tl.constexpr):
    """Each program's sequence, and samples of it."""
    blocks = tl.cdiv(samples, BLOCK)
    return (tl.program_id(0) // blocks).to(tl.int64), tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)


@triton.jit
@no_type_check
def _places(sequence, time, samples, CHANNELS: tl.constexpr, WIDE: tl.constexpr):
    """Where (time, channel) of a sequence lies, and what of it is there."""
    channel = tl.arange(0, WIDE)[None, :]
    there = (channel < CHANNELS) & (time[:, None] >= 0) & (time[:, None] < samples)
    return (sequence * CHANNELS + channel) * samples + time[:, None], there


@triton.jit
@no_type_check
def _matrix(pointer, stride, CHANNELS: tl.constexpr, WIDE: tl.constexpr):
    """The weights (to, from) between two sets of channels."""
    row, column = tl.arange(0, WIDE)[:, None], tl.arange(0, WIDE)[None, :]
    return tl.load(pointer + row * stride + column, mask=(row < CHANNELS) & (column < CHANNELS), other=0.0)


@triton.jit
@no_type_check
def _bias(pointer, CHANNELS: tl.constexpr, WIDE: tl.constexpr):
    channel = tl.arange(0, WIDE)[None, :]
    return tl.load(pointer + channel, mask=channel < CHANNELS, other=0.0)


@triton.jit
@no_type_check
def _convolved(
    x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, GATES: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """What the gates open by, what they let through and, of three, what scales it: (time, channel) each."""
    WIDTH: tl.constexpr = TAPS * CHANNELS
    open_by = tl.zeros([BLOCK, WIDE], tl.float32) + _bias(bias_ptr, CHANNELS, WIDE)
    value = tl.zeros([BLOCK, WIDE], tl.float32) + _bias(bias_ptr + CHANNELS, CHANNELS, WIDE)
    given = tl.zeros([BLOCK, WIDE], tl.float32)
    if GATES == 3:
        given += _bias(bias_ptr + 2 * CHANNELS, CHANNELS, WIDE)
    for tap in tl.static_range(TAPS):
        offsets, there = _places(sequence, time + (tap - TAPS // 2) * reach, samples, CHANNELS, WIDE)
        x = tl.load(x_ptr + offsets, mask=there, other=0.0)
        weight = _matrix(weight_ptr + tap * CHANNELS, WIDTH, CHANNELS, WIDE).to(x.dtype)
        open_by = tl.dot(x, tl.trans(weight), open_by, input_precision=PRECISION)
        weight = _matrix(weight_ptr + CHANNELS * WIDTH + tap * CHANNELS, WIDTH, CHANNELS, WIDE).to(x.dtype)
        value = tl.dot(x, tl.trans(weight), value, input_precision=PRECISION)
        if GATES == 3:
            weight = _matrix(weight_ptr + 2 * CHANNELS * WIDTH + tap * CHANNELS, WIDTH, CHANNELS, WIDE).to(x.dtype)
            given = tl.dot(x, tl.trans(weight), given, input_precision=PRECISION)
    return open_by, value, given


@triton.jit(do_not_specialize=["reach"])  # or a layer would be compiled for 1, for multiples of 16 and for all others
@no_type_check
def forward(
    x_ptr, plus_ptr, weight_ptr, bias_ptr, mix_ptr, mix_bias_ptr, made_ptr, samples, reach,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, GATES: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """The layer's output."""
    sequence, time = _tile(samples, BLOCK)
    open_by, value, given = _convolved(
        x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach, CHANNELS, TAPS, GATES, WIDE, BLOCK, PRECISION
    )  # fmt: skip
    product = tl.sigmoid(open_by) * (2 * tl.sigmoid(2 * value) - 1)
    if GATES == 3:
        shut = tl.sigmoid(-given)
        product *= given * (1 - shut * shut) / (1 + shut * shut)
    mix = _matrix(mix_ptr, CHANNELS, CHANNELS, WIDE).to(x_ptr.dtype.element_ty)
    made = tl.dot(product.to(mix.dtype), tl.trans(mix), input_precision=PRECISION) + _bias(mix_bias_ptr, CHANNELS, WIDE)
    offsets, there = _places(sequence, time, samples, CHANNELS, WIDE)
    if plus_ptr is not None:
        made += tl.load(plus_ptr + offsets, mask=there, other=0.0)
    tl.store(made_ptr + offsets, made, mask=there)


@triton.jit(do_not_specialize=["reach"])
@no_type_check
def inside(
    x_ptr, above_ptr, weight_ptr, bias_ptr, mix_ptr, product_ptr, of_convolved_ptr, samples, reach,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, GATES: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """The gates' product, and the gradient of what was convolved for each gate."""
    sequence, time = _tile(samples, BLOCK)
    open_by, value, given = _convolved(
        x_ptr, weight_ptr, bias_ptr, sequence, time, samples, reach, CHANNELS, TAPS, GATES, WIDE, BLOCK, PRECISION
    )  # fmt: skip
    opened = tl.sigmoid(open_by)
    tanh = 2 * tl.sigmoid(2 * value) - 1
    product = opened * tanh
    offsets, there = _places(sequence, time, samples, CHANNELS, WIDE)
    above = tl.load(above_ptr + offsets, mask=there, other=0.0)
    of_product = tl.dot(above, _matrix(mix_ptr, CHANNELS, CHANNELS, WIDE).to(above.dtype), input_precision=PRECISION)
    of_gate_ptr = of_convolved_ptr + sequence * (GATES - 1) * CHANNELS * samples + offsets
    if GATES == 3:
        shut = tl.sigmoid(-given)
        level = (1 - shut * shut) / (1 + shut * shut)
        slope = level + given * (1 - level * level) * (1 - shut)
        tl.store(of_gate_ptr + 2 * CHANNELS * samples, of_product * product * slope, mask=there)
        of_product *= given * level
        product *= given * level
    tl.store(of_gate_ptr, of_product * tanh * opened * (1 - opened), mask=there)
    tl.store(of_gate_ptr + CHANNELS * samples, of_product * opened * (1 - tanh * tanh), mask=there)
    tl.store(product_ptr + offsets, product, mask=there)


@triton.jit(do_not_specialize=["reach"])
@no_type_check
def of_x(
    of_convolved_ptr, weight_ptr, of_x_ptr, samples, reach,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, GATES: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """The gradient of the layer's input: each sample has met each tap of each gate."""
    sequence, time = _tile(samples, BLOCK)
    of_x = tl.zeros([BLOCK, WIDE], tl.float32)
    for gate in tl.static_range(GATES):
        for tap in tl.static_range(TAPS):
            met = time - (tap - TAPS // 2) * reach
            offsets, there = _places(sequence * GATES + gate, met, samples, CHANNELS, WIDE)
            of_convolved = tl.load(of_convolved_ptr + offsets, mask=there, other=0.0)
            weight = _matrix(weight_ptr + (gate * CHANNELS * TAPS + tap) * CHANNELS, TAPS * CHANNELS, CHANNELS, WIDE)
            of_x = tl.dot(of_convolved, weight.to(of_convolved.dtype), of_x, input_precision=PRECISION)
    offsets, there = _places(sequence, time, samples, CHANNELS, WIDE)
    tl.store(of_x_ptr + offsets, of_x, mask=there)
