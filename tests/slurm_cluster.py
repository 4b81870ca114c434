"""A Slurm cluster for a test: a controller and two nodes, all on this machine, stopped with the test."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "sacct")

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
KillWait=2
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=4 RealMemory=64000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=4 RealMemory=64000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> list[str]:
    """Programs of Slurm and munge that are missing on this machine."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start a cluster in `folder`, stopped when the block ends; yield the environment for sbatch and the like."""
    folder.chmod(0o755)
    (folder / "state").mkdir()
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o400)
    host = socket.gethostname()
    first, second, controller = free_ports(3)
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, folder=folder, first=first, second=second, controller=controller))
    environment = os.environ | {"SLURM_CONF": str(conf), "PATH": os.pathsep.join([os.environ["PATH"], "/usr/sbin"])}
    munge = [f"--{name}={folder}/munge.{suffix}" for name, suffix in MUNGE_FILES.items()]
    daemons = [
        ["munged", "--foreground", "--force", *munge],
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D", "-c", "-N", "n1"],
        ["slurmd", "-D", "-c", "-N", "n2"],
    ]
    with ExitStack() as stack:
        for number, command in enumerate(daemons):
            log = stack.enter_context((folder / f"{command[0]}{number}.log").open("w"))
            daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(end, daemon)
            if command[0] == "munged":
                wait_for((folder / "munge.socket").exists, "munged")
        wait_for(lambda: said(["sinfo", "-h", "-N", "-o", "%t"], environment).split() == ["idle", "idle"], "two nodes")
        try:
            yield environment
        finally:
            said(["scancel", "--me"], environment)
            wait_for(lambda: not said(["squeue", "-h"], environment), "the jobs to end")


MUNGE_FILES = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def end(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def wait_for(there: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until `there()` is true; raise TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)
