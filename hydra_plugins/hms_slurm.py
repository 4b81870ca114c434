"""`launcher=slurm`: Hydra's launcher by submitit, which ends with a traceback where a job is lost for good."""

import re
import shutil
from collections.abc import Sequence
from importlib.util import find_spec

from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException

if find_spec("submitit") and find_spec("hydra_plugins.hydra_submitit_launcher"):  # an extra
    from hydra_plugins.hydra_submitit_launcher import submitit_launcher

    class SlurmLauncher(submitit_launcher.SlurmLauncher):  # type: ignore[misc]
        """Says in a line which job was lost, and where its log is; the others go on, and are told of the next time."""

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            if not shutil.which("srun"):
                raise CompactHydraException("launcher: want a machine of a Slurm cluster, got one without 'srun'")
            # Slow to import, and every command looks for launchers.
            from submitit.core.utils import FailedJobError, UncompletedJobError

            try:
                returns: Sequence[JobReturn] = super().launch(job_overrides, initial_job_idx)
            except FailedJobError:  # in its own code: the trace says where
                raise
            except UncompletedJobError as error:
                raise CompactHydraException(_lost(str(error), self.params["submitit_folder"])) from None
            return returns


def _lost(text: str, folder: str) -> str:
    """What submitit says of a lost job, with all that the job wrote, as one line."""
    job = re.search(r"Job (\S+) \(task: \d+\) with path (.*)_result\.pkl", text)
    state = re.search(r"\(state: (.*?)\)", text)
    name, log = (f" {job[1]}", f"{job[2]}_log.err") if job else ("", folder)
    return f"launcher: Slurm's job{name} was lost for good ({state[1] if state else 'no state'}); see {log}"
