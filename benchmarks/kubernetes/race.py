"""One service at a time, ours against `kubectl rollout undo` and `rollout status`, in turns."""

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.figures import progress
from benchmarks.kubernetes import objects, requests
from benchmarks.kubernetes.ground import Ground, Placed, verified
from benchmarks.kubernetes.observer import Place

ENV = "race"
WINDOW_ENV = "window"
"""Verified as the product does by default: for at least 60 s."""


@dataclass(frozen=True)
class Lane:
    """One size with one kind of pods; a service for each side."""

    pods: int
    later: bool = False
    window: bool = False

    @property
    def name(self) -> str:
        """As in the answer: `50`, `50_later` or `5_window`."""
        return f"{self.pods}{'_later' if self.later else ''}{'_window' if self.window else ''}"

    @property
    def good(self) -> str:
        """The version to go back to."""
        return objects.LATER[0] if self.later else objects.GOOD

    def placed(self, side: str) -> Placed:
        """Where `ours` or `kubectl` has its Deployment: a namespace of its own."""
        name = f"{side}-{self.name}".replace("_", "-")
        return Placed(Place(name, name), self.pods, self.good)

    @property
    def ours(self) -> tuple[tuple[str, str], Placed]:
        """Environment and name of our service, and where it is."""
        placed = self.placed("ours")
        return (WINDOW_ENV if self.window else ENV, placed.place.app), placed


@dataclass
class Taken:
    """What was measured in one lane, a value per pair."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    requests: list[int] = field(default_factory=list)
    busiest: list[int] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)
    kinds: list[dict[str, int]] = field(default_factory=list)


def lanes(sizes: list[int]) -> list[Lane]:
    """Each size with pods that are ready at once, and with such as take a while.

    The smallest once more with the product's own verification.
    """
    raced = [Lane(size, later) for size in sizes for later in (False, True)]
    return [*raced, *(Lane(size, window=True) for size in sizes[:1])]


async def race(ground: Ground, lane: Lane, pairs: int, warm_up: int = 1) -> Taken:
    """So many pairs in random order, after some that are not counted."""
    sides = [lane.placed("ours"), lane.placed("kubectl")]
    await ground.create(*sides)
    taken = Taken()
    for number in range(-warm_up, pairs):
        counted = taken if number >= 0 else Taken()
        runs = [_ours, _kubectl]
        random.shuffle(runs)
        for run in runs:
            await run(ground, lane, counted)
        progress(f"{lane.name} pods, pair {number + 1} of {pairs}: {_last(counted)}")
    return taken


def _last(taken: Taken) -> str:
    times = ", ".join(f"{name} {values[-1]:.2f} s" for name, values in taken.seconds.items())
    return f"{times}; {taken.requests[-1]} requests, {taken.per_s[-1]:.1f}/s {taken.kinds[-1]}"


async def _ours(ground: Ground, lane: Lane, taken: Taken) -> None:
    (env, name), placed = lane.ours
    await ground.release_bad(placed)
    ground.record(env, name)
    await asyncio.sleep(REST_S)
    mark, at = len(ground.plane.ledger), requests.now()
    begun = time.perf_counter()
    back = asyncio.create_task(ground.back(placed))
    rollback = await ground.start(env, name)
    await verified(rollback)
    ended = time.perf_counter() - begun
    taken.seconds["ours"].append(await back - begun)
    taken.seconds["ours_verified"].append(ended)
    calls = requests.ours(ground.plane.ledger, mark, at, requests.now())
    taken.requests.append(len(calls))
    taken.busiest.append(requests.in_busiest_second(calls))
    taken.per_s.append(len(calls) / ended)
    taken.kinds.append(dict(requests.kinds(calls)))
    write = min(one.at for one in calls if one.changed)
    taken.seconds["ours_first_write"].append((write - at).total_seconds())
    await ground.look_after_no_more(env, name)


REST_S = 3.0
"""Before each run: what the release left to do is done, and readings of it are old."""


async def _kubectl(ground: Ground, lane: Lane, taken: Taken) -> None:
    placed = lane.placed("kubectl")
    await ground.release_bad(placed)
    await asyncio.sleep(REST_S)
    words = ("-n", placed.place.namespace, "rollout")
    name = f"deployment/{placed.place.app}"
    begun = time.perf_counter()
    back = asyncio.create_task(ground.back(placed))
    await run([*ground.kubectl, *words, "undo", name])
    await run([*ground.kubectl, *words, "status", name])
    status = time.perf_counter() - begun
    taken.seconds["kubectl"].append(await back - begun)
    taken.seconds["kubectl_status"].append(status)


async def run(words: list[str]) -> None:
    """A command that must succeed."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe)
    _, said = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: {said.decode()[-500:]}")
