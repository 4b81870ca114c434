"""Arrays on a CPU, created one after another, reuse freed memory."""

import ctypes
import os
import subprocess
import sys
from contextlib import nullcontext

import pytest
from conftest import python

from hms.simulate.workers import worker_environment

FAULTS = """
import resource
import sys
import numpy as np
from hms.system.memory import keep_freed
if "called" in sys.argv:
    keep_freed()
several = lambda: [np.ones(24 * 2**20, np.uint8) for _ in range(8)]
several()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    several()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize("how", ["called", "as a worker"])
@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_a_new_array_reuses_freed_memory(how: str):
    pages_of_one = 24 * 2**20 // 4096
    with nullcontext() if how == "called" else worker_environment():
        faults = subprocess.run(python("-c", FAULTS, how), capture_output=True, text=True, check=True).stdout
        assert int(os.environ.get("MALLOC_MMAP_THRESHOLD_", 0)) <= 2**25  # more is refused before glibc 2.35
    assert int(faults) < pages_of_one / 10
