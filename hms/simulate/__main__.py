"""`python -m hms.simulate`: simulate a corpus."""

from typing import Any

from hms.config.build import build
from hms.config.command import entry_point
from hms.config.keys import Node
from hms.errors import UserError
from hms.system.shards import Sharded, no_such_shard, shard_of


class Simulate(Sharded):
    """The keys of conf/simulate.yaml; their values live there."""

    data: Node


@entry_point("simulate", Simulate, mistakes_in_values=no_such_shard)
def main(config: dict[str, Any]) -> None:
    """Make the folder that `data` describes, unless it already exists."""
    from hms.simulate.corpus import SimulatedFolder  # slow to import; a mistake in the config should be reported first

    shard, folder = shard_of(config), build(config["data"])
    if shard.of == 1:
        folder.make()
    elif not isinstance(folder, SimulatedFolder):
        raise UserError(f"shards: want 1 for a corpus that is not simulated, got {shard.of}")
    elif not folder.make_shard(shard):
        return
    print(folder.root)


if __name__ == "__main__":
    main()
