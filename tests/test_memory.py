"""Arrays on a CPU, created one after another, reuse freed memory."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import python

SCRIPT = """
import resource
import sys
import numpy as np
from hms.system.memory import keep_freed
from hms.system.workers import in_workers

def several():
    return [np.ones(24 * 2**20, np.uint8) for _ in range(8)]

def print_faults(_=None):
    several()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        several()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, flush=True)

if __name__ == "__main__":
    if "called" in sys.argv:
        keep_freed()
        print_faults()
    else:
        [*in_workers(print_faults, range(1), workers=2)]
"""


@pytest.mark.parametrize("how", ["called", "in a worker"])
@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_a_new_array_reuses_freed_memory(how: str, tmp_path: Path):
    pages_of_one = 24 * 2**20 // 4096
    (tmp_path / "faults.py").write_text(SCRIPT)
    faults = subprocess.run(python(tmp_path / "faults.py", how), capture_output=True, text=True, check=True).stdout
    assert int(faults) < pages_of_one / 10
