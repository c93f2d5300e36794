"""What a seed draws: how many services, of which strategies, and what goes wrong."""

import random
from enum import StrEnum

from rollback_manager.values import Value

STRATEGIES = ("blue_green", "canary", "rolling_update", "generic")
MOST_SERVICES = 12
MOST_FAULTS = 4


class Trouble(StrEnum):
    """What can go wrong. The first ones are of one service, the last ones of the whole rollback."""

    SLOW_START = "instances get ready late"
    LATE_SHARES = "the proxy takes a split up late"
    LOST_ANSWER = "a write lands, its answer is lost"
    REFUSED = "a write is refused for a while"
    UNREADABLE = "reads fail for a while"
    LATE_WRITE = "a write is held until others have done it"
    LIE = "a split is acknowledged and not done"
    DEATH = "instances of the good version die"
    STILL_BAD = "the good version fails users, too"
    WORKER_ENDS = "the worker ends, another one goes on"
    RECORDS_DOWN = "the records do not answer for a while"
    HOLD = "abort, mode hold"
    RESTORE = "abort, mode restore"
    PAUSE = "pause, then resume"
    TWICE = "started twice"


OF_THE_ROLLBACK = (
    Trouble.WORKER_ENDS,
    Trouble.RECORDS_DOWN,
    Trouble.HOLD,
    Trouble.RESTORE,
    Trouble.PAUSE,
    Trouble.TWICE,
)


class Fault(Value):
    """One trouble: where, when, how strongly. after_s: counted from the start."""

    trouble: Trouble
    service: int
    after_s: float
    times: int
    write: str
    """Which kind of write it meets: `set_shares` or `scale`."""


class Drawn(Value):
    """One rollback of the soak, all of it from its seed."""

    seed: int
    strategies: tuple[str, ...]
    """One service each."""
    desired: int
    faults: tuple[Fault, ...]
    retries: int
    """How often the person at the desk retries what waits before giving up."""
    restores: bool
    """Whether that person, giving up, asks for what was there before."""

    def of(self, *troubles: Trouble) -> list[Fault]:
        """Its faults of those kinds."""
        return [fault for fault in self.faults if fault.trouble in troubles]

    def __str__(self) -> str:
        """As in `seed 7: 3 services (canary, …), 2 faults: …`."""
        kinds = ", ".join(sorted(set(self.strategies)))
        faults = "; ".join(sorted(fault.trouble for fault in self.faults)) or "none"
        return f"seed {self.seed}: {len(self.strategies)} services ({kinds}), faults: {faults}"


def drawn(seed: int) -> Drawn:
    """The rollback of that seed, always the same one."""
    draw = random.Random(seed)
    count = draw.choice((1, 1, 1, 2, 2, 3, 4, 6, MOST_SERVICES))
    faults = tuple(_fault(draw, count) for _ in range(draw.randint(0, MOST_FAULTS)))
    return Drawn(
        seed=seed,
        strategies=tuple(draw.choice(STRATEGIES) for _ in range(count)),
        desired=draw.choice((1, 2, 3, 4, 6)),
        faults=faults,
        retries=draw.randint(0, 2),
        restores=draw.random() < 0.5,
    )


def _fault(draw: random.Random, count: int) -> Fault:
    return Fault(
        trouble=draw.choice(list(Trouble)),
        service=draw.randrange(count),
        after_s=round(draw.uniform(0.0, 4.0), 2),
        times=draw.randint(1, 4),
        write=draw.choice(("set_shares", "scale")),
    )
