"""Jobs of several processes in tests; in a module of its own, because each process imports the module of its job."""

import os
import time
from contextlib import suppress
from pathlib import Path

import torch

from hms.errors import UserError
from hms.system.processes import Process, first_decides


def decide_together(folder: Path) -> float:
    """Let the first process of a group decide for all, then let it refuse to."""
    process = Process(torch.distributed.get_rank(), torch.distributed.get_world_size())
    if first_decides(lambda: process.rank == 0, process):
        (folder / f"knows{process.rank}").touch()

    def refuse() -> bool:
        raise UserError(f"process {process.rank}: nowhere to write to")

    return first_decides(refuse, process)


def work_on(folder: Path) -> float:
    """Record the id of this process and never end, not even by Ctrl-C."""
    (folder / str(os.getpid())).touch()
    while True:
        with suppress(KeyboardInterrupt):
            time.sleep(0.1)
