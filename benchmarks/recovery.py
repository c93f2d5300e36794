"""`make bench-recovery`: the worker is killed with many rollbacks in flight; when do they go on?

Every rollback waits in its drain, carried by a worker in a process of its own. Each round kills
that process and starts another one at once. The plain alternative, in the same round: a process
that starts, connects and replays the same histories, and does nothing else.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from activities.integrations.sql import SqlRecords, engine_for
from benchmarks.figures import Figure, progress, ratio
from proof.in_process import Fleet, fleet
from proof.own_temporal import OwnTemporal, own_temporal
from proof.stand_ins import StandInService
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import Rollback
from rollback_manager.contract import service_id
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.policy import TimeoutPolicy
from rollback_manager.progress import Result
from workers.plugin import plugin
from workers.process import end
from workers.settings import Settings

PATIENCE_S = 300
LOOKS_EVERY_S = 0.02
POLICY = {"timeouts": {"drain_s": 3600}}
"""The heartbeat stays as it is for users: by it a dead worker's step is noticed."""
NEW_PROCESS = multiprocessing.get_context("spawn")


@dataclass
class Draining(StandInService):
    """A service whose bad version drains once `drained` exists; writes down each first look."""

    looks: Path = Path()
    drained: Path = Path()

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """As its base; the first one leaves its time in a file, on the machine's clock."""
        if not self.looks.exists():
            self.looks.write_text(str(time.monotonic()))
        self.in_flight = {} if self.drained.exists() else {"v2": 1}
        return super().snapshot(max_age_s)


@dataclass(frozen=True)
class Scene:
    """What another process needs to carry these rollbacks on, or to replay them."""

    address: str
    env: str
    records: str
    settings: Settings
    catalogue: Catalogue
    services: tuple[str, ...]
    folder: Path

    @property
    def drained(self) -> Path:
        """Exists once the services may drain."""
        return self.folder / "drained"

    def looks(self, number: int) -> list[float]:
        """When the worker of that number looked at each service first."""
        words = (path.read_text() for path in self.folder.glob(f"look-{number}-*"))
        return [float(written) for written in words if written]

    def worlds(self, number: int) -> dict[str, StandInService]:
        """As the worker of that number finds them: only the first one has to shift anything."""
        shares = {"v1": 100} if number else {"v2": 100}
        return {
            name: Draining(
                shares_now=dict(shares),
                running={"v1": 3, "v2": 3},
                looks=self.folder / f"look-{number}-{name}",
                drained=self.drained,
            )
            for name in self.services
        }


@dataclass
class Taken:
    """Seconds from the kill on, a round each: to the first, the middle and the last next call."""

    first: list[float] = field(default_factory=list)
    middle: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    replay: list[float] = field(default_factory=list)


def carry_on(scene: Scene, number: int) -> None:
    """A worker, until it is killed."""
    asyncio.run(_work(scene, number))


async def _work(scene: Scene, number: int) -> None:
    client = await Client.connect(scene.address, data_converter=pydantic_data_converter)
    records = SqlRecords(engine_for(scene.records))
    worlds = scene.worlds(number)
    here = Fleet(client, scene.env, worlds, records, scene.settings, scene.catalogue)
    async with here.worker():
        await asyncio.Event().wait()


def replay(scene: Scene, runs: Sequence[str]) -> None:
    """Start, connect, replay those workflows, end."""
    asyncio.run(_replay(scene, runs))
    end(0)


async def _replay(scene: Scene, runs: Sequence[str]) -> None:
    client = await Client.connect(scene.address, data_converter=pydantic_data_converter)
    replayer = Replayer(workflows=[], plugins=[plugin()])
    for run in runs:
        await replayer.replay_workflow(await client.get_workflow_handle(run).fetch_history())


async def measured(own: OwnTemporal, rollbacks: int, rounds: int) -> Taken:
    """So many rollbacks in flight, and that many kills."""
    client = await own.client()
    async with fleet(client, own.folder, services=rollbacks, policy=POLICY) as made:
        scene = _scene(own, made)
        worker = _begun(scene, 0)
        started = await asyncio.gather(*(made.start(name) for name in made.worlds))
        await _looked_at(scene, 0)
        progress(f"{rollbacks} rollbacks are in their drain")
        runs = [*(one.id for one in started), *(service_id(made.env, n) for n in made.worlds)]
        taken = Taken()
        for number in range(1, rounds + 1):
            worker = await _round(scene, number, worker, taken, runs)
        await _ends(scene, started)
        worker.kill()
        return taken


def _scene(own: OwnTemporal, made: Fleet) -> Scene:
    records = f"sqlite:///{own.folder / made.env.removeprefix('env-')}.sqlite"
    names = tuple(made.worlds)
    address = own.server.address
    return Scene(address, made.env, records, made.settings, made.catalogue, names, own.folder)


def _begun(scene: Scene, number: int) -> BaseProcess:
    process = NEW_PROCESS.Process(target=carry_on, args=(scene, number), daemon=True)
    process.start()
    return process


async def _looked_at(scene: Scene, number: int) -> list[float]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            looks = scene.looks(number)
            if len(looks) == len(scene.services):
                return sorted(looks)
            await asyncio.sleep(LOOKS_EVERY_S)


async def _round(
    scene: Scene, number: int, worker: BaseProcess, taken: Taken, runs: Sequence[str]
) -> BaseProcess:
    plain = NEW_PROCESS.Process(target=replay, args=(scene, runs))
    begun = time.monotonic()
    plain.start()
    await asyncio.to_thread(plain.join)
    if plain.exitcode:
        raise RuntimeError(f"the replay ended with {plain.exitcode}")
    taken.replay.append(time.monotonic() - begun)
    killed = time.monotonic()
    worker.kill()
    after = _begun(scene, number)
    looks = await _looked_at(scene, number)
    for row, at in (
        (taken.first, looks[0]),
        (taken.middle, median(looks)),
        (taken.last, looks[-1]),
    ):
        row.append(at - killed)
    progress(f"round {number}: next calls {taken.first[-1]:.1f} to {taken.last[-1]:.1f} s")
    return after


async def _ends(scene: Scene, started: Sequence[Rollback]) -> None:
    """Figures of rollbacks that did not all come to their verified end are worth nothing."""
    scene.drained.touch()
    outcomes = await asyncio.gather(*(rollback.result() for rollback in started))
    if wrong := {one.result.value for one in outcomes} - {Result.VERIFIED.value}:
        raise RuntimeError(f"they ended {wrong}")


async def _main(rollbacks: int, rounds: int) -> dict[str, object]:
    async with own_temporal() as own:
        taken = await measured(own, rollbacks, rounds)
    over = ratio(taken.first, taken.replay)
    return {
        "rollbacks": rollbacks,
        "rounds": rounds,
        **{f"{name}_s": round(Figure.of(row).median, 2) for name, row in vars(taken).items()},
        "first_call_over_start_and_replay": round(over.median, 2),
        "spread": over.spread,
        "heartbeat_s": TimeoutPolicy().heartbeat_s,
    }


def main() -> None:
    """The figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--rollbacks", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures = asyncio.run(_main(options.rollbacks, options.rounds))
    sys.stdout.write(json.dumps(figures, indent=None if options.json else 2) + "\n")


if __name__ == "__main__":
    main()
