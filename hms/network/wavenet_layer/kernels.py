"""Triton kernels of the gated layer (Tillet et al. 2019, doi 10.1145/3315508.3329973), on the tiles of `tiles`.

The `rows` of a signal are the channels of one sequence after another. ALIGNED means that `reach` is a multiple of 16
samples, so that a thread can load several of them at once.
"""

from typing import no_type_check

import triton
import triton.language as tl

from hms.network.wavenet_layer import tiles


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def forward(
    x_ptr, addend_ptr, weight_ptr, bias_ptr, mix_ptr, mix_bias_ptr, output_ptr, rows, samples, reach,
    ALIGNED: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Compute the layer's output."""
    pack, time = tiles.locate(tl.program_id(0), samples, BLOCK)
    before, x, after = tiles.load_taps(x_ptr, pack, time, rows, samples, reach, ALIGNED, TAPS, PACK * CHANNELS, WIDE)
    a, d, u, mish_in = tiles.exponentials(
        before, x, after, weight_ptr, bias_ptr, GATES, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION
    )
    numerator, denominator = 1 - d, (1 + a) * (1 + d)
    if GATES == 3:
        w = u * (u + 2)
        numerator *= mish_in * w
        denominator *= w + 2
    product = (numerator * tiles.reciprocal(denominator)).to(x.dtype)
    mix = tiles.load_weights(mix_ptr, x, CHANNELS, 1, PACK, WIDE)
    output = tl.dot(product, tl.trans(mix), input_precision=PRECISION)
    output += tiles.load_bias(mix_bias_ptr, CHANNELS, PACK, WIDE)
    offsets, mask = tiles.tile_offsets(pack, time, rows, samples, PACK * CHANNELS, WIDE)
    if addend_ptr is not None:
        output += tl.load(addend_ptr + offsets, mask=mask, other=0.0)
    tl.store(output_ptr + offsets, output, mask=mask)


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def backward_gates(
    x_ptr, grad_output_ptr, weight_ptr, bias_ptr, mix_ptr, product_ptr, grad_convolved_ptr, rows, samples, reach,
    ALIGNED: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Recompute the gates' product, and compute the gradient of each gate's convolution."""
    pack, time = tiles.locate(tl.program_id(0), samples, BLOCK)
    before, x, after = tiles.load_taps(x_ptr, pack, time, rows, samples, reach, ALIGNED, TAPS, PACK * CHANNELS, WIDE)
    a, d, u, mish_in = tiles.exponentials(
        before, x, after, weight_ptr, bias_ptr, GATES, CHANNELS, TAPS, PACK, WIDE, BLOCK, PRECISION
    )
    offsets, mask = tiles.tile_offsets(pack, time, rows, samples, PACK * CHANNELS, WIDE)
    grad_gate = grad_convolved_ptr + tiles.gate_offsets(pack, time, samples, GATES, CHANNELS, PACK, WIDE)
    grad_output = tl.load(grad_output_ptr + offsets, mask=mask, other=0.0)
    mix = tiles.load_weights(mix_ptr, x, CHANNELS, 1, PACK, WIDE)
    grad_product = tl.dot(grad_output, mix, input_precision=PRECISION)
    if GATES == 3:
        w, both = u * (u + 2), (1 + a) * (1 + d)
        inverse = tiles.reciprocal(both * (w + 2))
        inverse_mish, inverse_both = both * inverse, (w + 2) * inverse
    else:
        inverse_both = tiles.reciprocal((1 + a) * (1 + d))
    sigmoid, tanh = inverse_both * (1 + d), 2 * inverse_both * (1 + a) - 1
    product = sigmoid * tanh
    if GATES == 3:
        tanh_softplus = w * inverse_mish
        slope = tanh_softplus + 4 * mish_in * u * (1 + u) * inverse_mish * inverse_mish
        tl.store(grad_gate + 2 * CHANNELS * samples, grad_product * product * slope, mask=mask)
        grad_product *= mish_in * tanh_softplus
        tl.store(product_ptr + offsets, product * mish_in * tanh_softplus, mask=mask)
    else:
        tl.store(product_ptr + offsets, product, mask=mask)
    tl.store(grad_gate, grad_product * product * (1 - sigmoid), mask=mask)
    tl.store(grad_gate + CHANNELS * samples, grad_product * sigmoid * (1 - tanh * tanh), mask=mask)


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def backward_weights(
    grad_convolved_ptr, x_ptr, grad_output_ptr, product_ptr, grad_weights_ptr, rows, samples, reach,
    ALIGNED: tl.constexpr, GATES: tl.constexpr, CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr,
    WIDE: tl.constexpr, BLOCK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Sum each program's part of the gradients of all weights and biases: those of the gates, then of the mix."""
    PACKED: tl.constexpr = PACK * CHANNELS
    SIZE: tl.constexpr = CHANNELS * CHANNELS
    zeros, zero = tl.zeros([WIDE, WIDE], tl.float32), tl.zeros([WIDE], tl.float32)  # gradients by gate and tap
    sigmoid_0, sigmoid_1, sigmoid_2, tanh_0, tanh_1, tanh_2 = zeros, zeros, zeros, zeros, zeros, zeros
    mish_0, mish_1, mish_2, grad_mix = zeros, zeros, zeros, zeros
    sigmoid_bias, tanh_bias, mish_bias, grad_mix_bias = zero, zero, zero, zero
    count = tl.cdiv(rows, PACKED) * tl.cdiv(samples, BLOCK)
    for tile in tl.range(tl.program_id(0), count, tl.num_programs(0), num_stages=1):
        pack, time = tiles.locate(tile, samples, BLOCK)
        before, x, after = tiles.load_taps(x_ptr, pack, time, rows, samples, reach, ALIGNED, TAPS, PACKED, WIDE)
        offsets, mask = tiles.tile_offsets(pack, time, rows, samples, PACKED, WIDE)
        grad_gate = grad_convolved_ptr + tiles.gate_offsets(pack, time, samples, GATES, CHANNELS, PACK, WIDE)
        sigmoid_0, sigmoid_1, sigmoid_2, sigmoid_bias = tiles.accumulate(
            grad_gate, mask, before, x, after, sigmoid_0, sigmoid_1, sigmoid_2, sigmoid_bias, TAPS, PRECISION
        )
        grad_gate += CHANNELS * samples
        tanh_0, tanh_1, tanh_2, tanh_bias = tiles.accumulate(
            grad_gate, mask, before, x, after, tanh_0, tanh_1, tanh_2, tanh_bias, TAPS, PRECISION
        )
        if GATES == 3:
            grad_gate += CHANNELS * samples
            mish_0, mish_1, mish_2, mish_bias = tiles.accumulate(
                grad_gate, mask, before, x, after, mish_0, mish_1, mish_2, mish_bias, TAPS, PRECISION
            )
        grad_output = tl.load(grad_output_ptr + offsets, mask=mask, other=0.0)
        grad_mix_bias += tl.sum(grad_output.to(tl.float32), axis=0)
        product = tl.load(product_ptr + offsets, mask=mask, other=0.0)
        grad_mix = tl.dot(tl.trans(grad_output), product, grad_mix, input_precision=PRECISION)
    part = grad_weights_ptr + tl.program_id(0) * PACK * (GATES * (TAPS * SIZE + CHANNELS) + SIZE + CHANNELS)
    bias = part + GATES * TAPS * SIZE
    tiles.store_gate(part, bias, sigmoid_0, sigmoid_1, sigmoid_2, sigmoid_bias, GATES, CHANNELS, TAPS, PACK, WIDE)
    part += TAPS * SIZE
    tiles.store_gate(part, bias + CHANNELS, tanh_0, tanh_1, tanh_2, tanh_bias, GATES, CHANNELS, TAPS, PACK, WIDE)
    if GATES == 3:
        part += TAPS * SIZE
        tiles.store_gate(
            part, bias + 2 * CHANNELS, mish_0, mish_1, mish_2, mish_bias, GATES, CHANNELS, TAPS, PACK, WIDE
        )
    part = bias + GATES * CHANNELS
    tiles.store_weight(part, grad_mix, 1, GATES, CHANNELS, TAPS, PACK, WIDE)
    tiles.store_bias(part + SIZE, grad_mix_bias, GATES, CHANNELS, TAPS, PACK, WIDE)


@triton.jit(do_not_specialize=["rows", "reach"])
@no_type_check
def backward_input(
    grad_convolved_ptr, weight_ptr, grad_x_ptr, rows, samples, reach, ALIGNED: tl.constexpr, GATES: tl.constexpr,
    CHANNELS: tl.constexpr, TAPS: tl.constexpr, PACK: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Compute the gradient of the layer's input: each sample has met every tap of every gate."""
    pack, time = tiles.locate(tl.program_id(0), samples, BLOCK)
    grad_x = tl.zeros([BLOCK, WIDE], tl.float32)
    for tap in tl.range(TAPS, num_stages=1):  # unrolled it would take too many registers
        at = time - (tap - TAPS // 2) * tiles.tap_distance(reach, ALIGNED)
        _, mask = tiles.tile_offsets(pack, at, rows, samples, PACK * CHANNELS, WIDE)
        grad_gate = grad_convolved_ptr + tiles.gate_offsets(pack, at, samples, GATES, CHANNELS, PACK, WIDE)
        for gate in tl.static_range(GATES):
            grad_convolved = tl.load(grad_gate + gate * CHANNELS * samples, mask=mask, other=0.0)
            weight_at = weight_ptr + gate * CHANNELS * CHANNELS * TAPS + tap
            weight = tiles.load_weights(weight_at, grad_convolved, CHANNELS, TAPS, PACK, WIDE)
            grad_x = tl.dot(grad_convolved, weight, grad_x, input_precision=PRECISION)
    offsets, mask = tiles.tile_offsets(pack, time, rows, samples, PACK * CHANNELS, WIDE)
    tl.store(grad_x_ptr + offsets, grad_x, mask=mask)
