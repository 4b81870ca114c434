"""Arrays on a CPU, one after another."""

import ctypes
import subprocess
import sys

import pytest
from conftest import python

FAULTS = """
import resource
import numpy as np
from hms.memory import keep_freed
keep_freed()
several = lambda: [np.ones(24 * 2**20, np.uint8) for _ in range(8)]
several()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    several()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_an_array_takes_the_memory_that_others_left():
    pages_of_one = 24 * 2**20 // 4096
    told = subprocess.run(python("-c", FAULTS), capture_output=True, text=True, check=True).stdout
    assert int(told) < pages_of_one / 10
