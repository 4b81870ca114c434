"""A command sets how long waiting threads spin before torch is imported, unless its environment says how to wait."""

import os
import subprocess

import pytest
from conftest import python

REFUSED = """
import os
import sys
from hms.compare import main
sys.argv = ["compare", "threads=2"]
try:
    main()
finally:
    print(os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("given", "rounds"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_a_command_shortens_the_wait_unless_told_how_to_wait(given: dict[str, str], rounds: str):
    others = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    ended = subprocess.run(python("-c", REFUSED), capture_output=True, text=True, env=others | given)
    assert ended.stdout.split() == [rounds, "False"], ended.stderr
