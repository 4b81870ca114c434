"""Let threads that wait for work fall asleep soon, and leave the cores to other programs.

Between two operations the threads of GNU's OpenMP, which torch uses on Linux, spin for up to 300,000 rounds, in case
there is more to do. Next to another program, a spinning thread may hold the core that the thread it waits for needs.
"""

import os

_ROUNDS = "10000"  # 4 % slower on free cores, twice as fast next to a busy process (docs/speed.md, "Threads that wait")


def sleep_soon() -> None:
    """Shorten the wait unless the environment says how to wait; it has no effect once torch is imported."""
    if not os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        os.environ["GOMP_SPINCOUNT"] = _ROUNDS
