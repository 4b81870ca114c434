"""The layer's fast implementations agree with the plain one, forward and backward.

The kernels run on a GPU or, slowly, in Triton's interpreter, which needs a process of its own.
"""

import os
import re
import subprocess
import sys
from math import prod
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
import torch
from torch import Tensor

from hms.network import wavenet_layer
from hms.network.wavenet_layer import GatedLayer, anywhere, fast_implementation
from hms.network.wavenet_layer.in_cache import InCache

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

LAYERS = [  # channels, samples, reach, gates, whether there is an addend
    (1, 40, 2, 3, True),
    (4, 50, 1, 3, True),  # the first block's
    (8, 70, 3, 3, True),
    (12, 70, 5, 2, False),
    (5, 140, 16, 2, True),
    (24, 130, 70, 3, True),  # the last block's
    (24, 70, 69, 2, False),  # an outer tap meets one sample
    (32, 65, 0, 3, False),  # the reach exceeds the signal
]


def given_to(layer: tuple[int, int, int, int, bool]) -> tuple[list[Tensor | None], Tensor]:
    """Arguments of a layer, which require gradients, and the gradient of its output; three sequences."""
    channels, samples, reach, gates, adds = layer
    draw = torch.Generator().manual_seed(0)
    taps = 3 if reach else 1
    signal = (3, channels, samples)
    shapes = [signal] * 2 + [(gates * channels, channels, taps), (gates * channels,)]
    shapes += [(channels, channels), (channels,), signal]
    *given, above = (
        torch.randn(shape, generator=draw) / (1 if shape == signal else prod(shape[1:]) ** 0.5) for shape in shapes
    )
    given = [given[0], given[1] if adds else None, *given[2:]]
    return [None if one is None else one.requires_grad_() for one in given], above


def made_by(implementation, layer: tuple[int, int, int, int, bool], dtype: torch.dtype, device: str) -> list[Tensor]:
    """The output of an implementation for signals of `dtype`, and all gradients."""
    given, above = given_to(layer)
    moved = [None if one is None else one.to(device, dtype if place < 2 else None) for place, one in enumerate(given)]
    made = implementation(*moved, *layer[2:4])
    made.backward(above.to(device, dtype))
    return [made.detach().cpu().float(), *(one.grad for one in given if one is not None)]


@pytest.mark.parametrize("layer", LAYERS)
def test_in_cache(layer: tuple[int, int, int, int, bool]):
    for ours, plain in zip(
        *(made_by(one, layer, torch.float32, "cpu") for one in (InCache.apply, anywhere.layer)), strict=True
    ):
        torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu" and not INTERPRETED, reason="wants a GPU")
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-4), (torch.float16, 3e-3), (torch.bfloat16, 3e-2)])
def test_on_chip(dtype: torch.dtype, close: float, monkeypatch: pytest.MonkeyPatch):
    if INTERPRETED and dtype == torch.bfloat16:
        pytest.skip("Triton's interpreter multiplies the bits of bfloat16")
    from hms.network.wavenet_layer import on_chip
    from hms.network.wavenet_layer.on_chip import OnChip

    monkeypatch.setattr(on_chip, "_SUMMING_PROGRAMS", 2)  # so that each of them sums several tiles
    for layer in LAYERS if dtype == torch.float32 or not INTERPRETED else LAYERS[::3]:  # it is slow
        plain = made_by(anywhere.layer, layer, torch.float32, "cpu")
        for ours, wanted in zip(made_by(OnChip.apply, layer, dtype, DEVICE), plain, strict=True):
            torch.testing.assert_close(ours, wanted, atol=close * wanted.abs().max().item(), rtol=close)


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu" and not INTERPRETED, reason="wants a GPU")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # from NumPy in the interpreter
@pytest.mark.parametrize("gates", [2, 3])
def test_on_chip_a_nan_spoils_the_samples_that_it_meets(gates: int):
    from hms.network.wavenet_layer.on_chip import OnChip

    given, _ = given_to((12, 40, 3, gates, False))  # with fewer channels, it would spoil all sequences of its tile
    given[0].data[0, 1, 20] = torch.nan
    plain = anywhere.layer(*given, 3, gates)
    made = OnChip.apply(*(None if one is None else one.to(DEVICE) for one in given), 3, gates).cpu()
    assert plain[0, :, 17:24:3].isnan().all()
    torch.testing.assert_close(made.isnan(), plain.isnan())


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu" and not INTERPRETED, reason="wants a GPU")
def test_on_chip_is_tried_in_inference_mode_as_well(monkeypatch, capsys):
    from hms.network.wavenet_layer import kernels
    from hms.network.wavenet_layer.on_chip import OnChip

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    tried = wavenet_layer._on_chip.__wrapped__
    with torch.inference_mode():
        assert tried(torch.device(DEVICE), torch.float32) is OnChip
    monkeypatch.setattr(kernels, "backward_input", None)
    assert tried(torch.device(DEVICE), torch.float32) is None
    assert "WaveNets are slower: Triton, which needs a C compiler" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert tried(torch.device(DEVICE), torch.float32) is None
    assert not capsys.readouterr().err


@pytest.mark.skipif(DEVICE == "cuda" or INTERPRETED, reason="the kernels are tested without it")
def test_on_chip_by_the_interpreter():
    pytest.importorskip("triton", minversion="3.7")  # the interpreter of older ones fails with NumPy 2.5
    done = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-k", "on_chip and not interpreter", "-o", "addopts=-q"],
        env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(
    ("capability", "dtype", "layers"),  # channels and taps; between them all tile widths and types
    [(80, "fp16", [(8, 3), (32, 1)]), (90, "fp32", [(8, 3), (24, 3)]), (90, "bf16", [(24, 3), (32, 1)])],
)
@pytest.mark.skipif(INTERPRETED, reason="wants Triton's compiler")
def test_kernels_compile_for_a_gpu_and_spill_little(
    capability: int, dtype: str, layers: list[tuple[int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("triton")
    from hms.network.wavenet_layer import kernels
    from hms.network.wavenet_layer.on_chip import TILES, kernel_options

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    bytes_each = 4 if dtype == "fp32" else 2
    for channels, taps in layers:
        for name in TILES:
            options = kernel_options(name, channels, taps, 3, True, bytes_each, "ieee")
            spilled, shared, code = compiled(getattr(kernels, name), options, dtype, capability)
            most = 60 if name != "backward_weights" else 200 if bytes_each == 2 else 800
            assert spilled <= most, (name, channels)
            assert shared < 99 * 1024  # available to a program on RTX cards
            assert "wgmma" not in code  # which some versions of Triton get wrong


def compiled(kernel, options: dict[str, object], dtype: str, capability: int) -> tuple[int, int, str]:
    """Bytes of registers spilled by a thread, bytes of shared memory of a program, and its PTX code."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    sizes = {one: value for one, value in options.items() if one.isupper()}
    types = {one: "i32" for one in kernel.arg_names} | dict.fromkeys(sizes, "constexpr")
    for one in kernel.arg_names:
        if one.endswith("_ptr"):
            types[one] = "*fp32" if re.match(r"(grad_)?(weight|bias|mix)", one) else f"*{dtype}"
    aligned = [one for one in kernel.arg_names if one.endswith("_ptr") or one == "samples"]
    divisible = {(kernel.arg_names.index(one),): [["tt.divisibility", 16]] for one in aligned}
    source = ASTSource(kernel, signature=types, constexprs=sizes, attrs=divisible)
    rest = {one: value for one, value in options.items() if not one.isupper()}
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=rest)
    with NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        disassembler = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
        command = [disassembler, "--dump-resource-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(re.search(r" STACK:(\d+) ", usage)[1]), made.metadata.shared, made.asm["ptx"]


def test_a_layer_uses_the_implementation_for_its_device():
    layer, x = GatedLayer(4, 2, gates=3), torch.randn(2, 4, 20)
    assert fast_implementation(x) is InCache
    assert fast_implementation(x.to("meta")) is None
    assert layer.to("meta")(x.to("meta"), None).shape == x.shape


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="wants a GPU")
def test_a_gpu_keeps_only_the_input_of_a_layer():
    from hms.network.wavenet_layer.on_chip import OnChip

    x = torch.randn(8, 24, 10_000, device=DEVICE, requires_grad=True)
    assert fast_implementation(x) is OnChip
    assert fast_implementation(x.double()) is fast_implementation(x.expand(8, 24, 10_000).repeat(1, 2, 1)) is None
    layer = GatedLayer(24, 4, gates=3).to(DEVICE)
    before = torch.cuda.memory_allocated()
    made = layer(x, None)
    assert torch.cuda.memory_allocated() - before < 1.1 * made.nbytes
