"""One run: a world of its own, users, a witness at the proxy, and whoever rolls back."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.load import Load
from demo.world import World
from proof.kill_matrix.witnesses import FrontDoor

GOOD, BAD = "v1", "v2"
DESIRED, FLOOR = 4, 3
"""⌈0.66 × 4⌉ = 3, worked out here by hand: the witness must not ask the product."""
DRAIN_S = 2.0
"""An instance leaves the rotation on TERM: two of Envoy's probes and its merge window."""


@dataclass(frozen=True)
class Scene:
    """A world in which v2 has all the traffic and v1 is defined but does not run."""

    world: World
    load: Load
    door: FrontDoor


@dataclass(frozen=True)
class Seconds:
    """What one way back cost, judged second by second from outside."""

    seconds: int
    below_floor: int
    lowest_ready: int
    requests: int
    failed_by_us: int


@contextlib.contextmanager
def scene(rate: float, warm_up_s: float) -> Iterator[Scene]:
    """Up, under load and watched, until the end of the block."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="rb-")))
        world = stack.enter_context(World(folder))
        world.add_version(GOOD, instances=0, warm_up_s=warm_up_s, drain_s=DRAIN_S)
        world.add_version(BAD, instances=DESIRED, drain_s=DRAIN_S)
        world.set_shares({GOOD: 0, BAD: 100}, "deployed")
        load = stack.enter_context(Load(f"{world.front_url}/", folder / "load.jsonl", rate=rate))
        door = stack.enter_context(FrontDoor(world.admin_url, world.service))
        yield Scene(world, load, door)


def judge(scene: Scene, since: datetime) -> Seconds:
    """From `since` until now: each second by the fewest ready instances that carried users."""
    lowest: dict[int, int] = {}
    for seen in scene.door.seen:
        if seen.at >= since:
            second = math.floor(seen.at.timestamp())
            lowest[second] = min(lowest.get(second, 2 * DESIRED), math.floor(seen.worth))
    users = scene.load.summary(since)
    return Seconds(
        seconds=len(lowest),
        below_floor=sum(ready < FLOOR for ready in lowest.values()),
        lowest_ready=min(lowest.values(), default=0),
        requests=users.total,
        failed_by_us=users.by_us,
    )


def now() -> datetime:
    """The witness's clock."""
    return datetime.now(UTC)
