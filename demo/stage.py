"""What the demo's story is played on: the same one, wherever the shop runs."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from temporalio.client import Client

from demo.catalogue import catalogue_text
from demo.scenarios import Scenario
from demo.world import World
from rollback_manager.client.converter import converter
from rollback_manager.contract import SEARCH_ATTRIBUTES
from workers import wiring, worker
from workers.process import say
from workers.settings import Settings
from workers.temporal_server import NAMESPACE, TemporalServer
from workers.watchdogs import watch_over

INSTANCES = 4
"""Of each version."""


class ShopWorld(Protocol):
    """The shop as its deployer, and whoever looks on, sees it."""

    def set_shares(self, shares: Mapping[str, int], version_info: str) -> None:
        """Give each version its percents of the users, and wait until that is in force."""

    def shares(self) -> dict[str, int]:
        """The percents in force, by version."""

    def healthy(self, version: str) -> int:
        """How many instances of the version get requests."""


@dataclass(frozen=True)
class Stage:
    """bring_up: a version with these options of shop.py, without users. url: the shop's."""

    world: ShopWorld
    bring_up: Callable[[str, Mapping[str, float]], None]
    url: str
    catalogue: Path


Setting = Callable[[AsyncExitStack, Path, Scenario, float], Awaitable[Stage]]
"""Sets the stage up in a folder, for a scenario and so many requests per second."""


async def on_this_machine(
    stack: AsyncExitStack, folder: Path, scenario: Scenario, rate: float
) -> Stage:
    """supervisord and Envoy."""
    world = World(folder, patience_s=scenario.patience_s)
    stack.callback(world.stop)
    world.start()
    world.start_till()
    say(f"the world is up: Envoy at {world.front_url}, supervisord, {rate:.0f} requests/s")
    catalogue = folder / "catalogue.yaml"
    catalogue.write_text(catalogue_text(world, rate), encoding="utf-8")

    def bring_up(version: str, options: Mapping[str, float]) -> None:
        told = {**options, "till": float(world.till_port)}
        world.add_version(version, instances=INSTANCES, first_port=None, **told)

    return Stage(world, bring_up, world.front_url, catalogue)


@asynccontextmanager
async def product(binary: Path, catalogue: Path, folder: Path) -> AsyncIterator[tuple[Client, str]]:
    """A Temporal of its own and a worker, all ended after; a client and the Web UI's URL."""
    settings = Settings(catalogue=catalogue, data=folder / "data")
    parts = wiring.parts(settings)
    server = TemporalServer(
        binary,
        folder / "data" / "temporal.sqlite",
        None,
        None,
        folder / "logs" / "temporal.log",
        search_attributes=SEARCH_ATTRIBUTES,
    )
    async with server:
        encrypting = converter(parts.codec, NAMESPACE, takes_unbound=parts.takes_unbound)
        client = await Client.connect(server.address, data_converter=encrypting)
        async with worker.make_worker(client, settings, parts) as ours:
            await watch_over(client, ours.task_queue, parts.catalogue.environments)
            yield client, server.ui_url
