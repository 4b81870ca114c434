"""The sweeper of every command: as Hydra's own it tries all listed values, but it runs every job, whichever fail.

Hydra's raises the error of the first failed job, which has told it already, and leaves out later batches. It also
writes multirun.yaml, which nothing reads.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus


@dataclass
class EverySweeperConf(BasicSweeperConf):
    """The options of Hydra's."""

    _target_: str = "hydra_plugins.hms_sweeper.EverySweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="hms", node=EverySweeperConf)


class EverySweeper(BasicSweeper):
    """Runs every job; exits with 1 if some of them failed."""

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Run all batches of jobs; what each job returned."""
        assert self.hydra_context
        assert self.launcher
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        batches = self.split_arguments(parser.parse_overrides([*self._parse_config(), *arguments]), self.max_batch_size)
        returns: list[Sequence[JobReturn]] = []
        for batch in batches:
            self.validate_batch_is_legal(batch)
            returns.append(self.launcher.launch(batch, initial_job_idx=sum(map(len, returns))))
        if any(job.status is JobStatus.FAILED for done in returns for job in done):
            sys.exit(1)
        return returns
