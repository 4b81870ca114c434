"""`launcher=ray`: the jobs of a sweep as tasks of a Ray cluster, each with CPUs and a GPU of its own.

Hydra's own Ray launcher is mostly about clusters in Amazon's cloud, for which it wants boto3, aiohttp and an old
cloudpickle; this is for a cluster that is there, or one that lives on this machine for the time of the sweep.
"""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.errors import CompactHydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict


@dataclass
class RayLauncherConf:
    """What a config may say; values that serve most are in conf/launcher/ray.yaml."""

    _target_: str = "hydra_plugins.hms_ray.RayLauncher"
    address: str | None = None
    num_cpus: float = 1
    num_gpus: float | None = None
    max_retries: int = 3


ConfigStore.instance().store(group="hydra/launcher", name="hms_ray", node=RayLauncherConf)


class RayLauncher(Launcher):
    """Runs each job as a task that has `num_cpus` and `num_gpus` (without a number: one where the cluster has any).

    `address` names a running cluster (`auto`: the one this machine belongs to), whose nodes share a file system and an
    environment; without one, a cluster on this machine ends with the sweep. A job whose process or node is lost is run
    again, up to `max_retries` times, and so goes on where it was.
    """

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float | None, max_retries: int):
        self.address, self.num_cpus, self.num_gpus, self.max_retries = address, num_cpus, num_gpus, max_retries

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs; what each returned, or how it failed, in their order."""
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # two jobs may well say the same
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise CompactHydraException("launcher: ray is not installed: pip install 'hms[ray]'") from None
        setup_globals()
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(self.address, include_dashboard=False, logging_level="warning")
        except (ConnectionError, RuntimeError, ValueError) as error:
            said = str(error).strip().partition("\n")[0]
            raise CompactHydraException(f"hydra.launcher.address={self.address}: {said}") from None
        finally:
            signal.signal(signal.SIGTERM, handler)  # Ray's own would end this process alone, with code 15
        try:
            task = ray.remote(**self._resources(ray.nodes()), max_retries=self.max_retries)(_run)
            state = Singleton.get_state()
            sent = [
                task.remote(os.getcwd(), self.context, self._config_of(words, number), self.task, state)
                for number, words in enumerate(job_overrides, initial_job_idx)
            ]
            return [_result(ray, job) for job in sent]
        finally:
            ray.shutdown()

    def _resources(self, nodes: Sequence[dict[str, Any]]) -> dict[str, float]:
        """CPUs and GPUs of a job. Raises an error for more than any node has: Ray would wait for a larger one."""
        most = {name: max(node["Resources"].get(name, 0) for node in nodes) for name in ("CPU", "GPU")}
        gpus = min(1, most["GPU"]) if self.num_gpus is None else self.num_gpus
        for key, asked, there in (("num_cpus", self.num_cpus, most["CPU"]), ("num_gpus", gpus, most["GPU"])):
            if asked > there:
                raise CompactHydraException(
                    f"hydra.launcher.{key}: want at most {there:g} (no node has more), got {asked:g}"
                )
        return {"num_cpus": self.num_cpus, "num_gpus": gpus}

    def _config_of(self, words: Sequence[str], number: int) -> DictConfig:
        config = self.context.config_loader.load_sweep_config(self.config, list(words))
        with open_dict(config):
            config.hydra.job.id = config.hydra.job.num = number
        return config


def _run(folder: str, context: HydraContext, config: DictConfig, task: TaskFunction, state: Any) -> JobReturn:
    """One job, in a process of the cluster, in the folder where the sweep was started."""
    os.chdir(folder)
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    return run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", hydra_context=context)


def _result(ray: Any, job: Any) -> JobReturn:
    """What a job returned; a job that is lost for good is one that failed, and the others go on."""
    try:
        while not ray.wait([job], timeout=0)[0]:
            time.sleep(0.1)  # within its own waiting Ray drops what a signal raises
        found: JobReturn = ray.get(job)
    except ray.exceptions.RayError as error:
        lost = CompactHydraException(f"a job was lost: {str(error).strip().splitlines()[0]}")
        return JobReturn(status=JobStatus.FAILED, _return_value=lost)
    return found
