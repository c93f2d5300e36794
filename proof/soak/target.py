"""A stand-in that can be in trouble, with a ledger of what each write did to users."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from activities.targets import SharesAsSet, VersionState
from proof.soak.drawing import Fault, Trouble
from proof.stand_ins import StandInService
from rollback_manager.errors import Unreachable
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.operation import Mark

HELD_S = 2.5
"""Times 2 to 5: well above the heartbeat of the soak's policy, so that Temporal has given the
attempt up, and on a busy machine too there was time to seal it off."""


Truth = tuple[dict[str, int], dict[str, int]]
"""Shares in force, and instances that could serve, by version."""


@dataclass(frozen=True)
class Effect:
    """One write that arrived: what stood before and after it."""

    write: str
    mark: Mark
    before: Truth
    after: Truth

    @property
    def changed(self) -> bool:
        """Whether it changed anything."""
        return self.before != self.after


@dataclass
class Troubled(StandInService):
    """Plays the roles of one service. Its answers may be late, lost or a lie; `truth` is not."""

    faults: tuple[Fault, ...] = ()
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing has gone wrong yet."""
        self._writing = threading.RLock()
        self._left = {id(fault): fault.times for fault in self.faults}
        self._told: dict[str, int] | None = None
        self._starting: list[tuple[str, float]] = []
        self._held = 0
        self._looks = 0
        super().__post_init__()
        if any(self._of(Trouble.LATE_SHARES)):
            self.late_looks = max(fault.times for fault in self._of(Trouble.LATE_SHARES))

    @property
    def truth(self) -> Truth:
        """How it stands, whatever it says."""
        with self._writing:
            return dict(self.shares_now), {version: self.able(version) for version in self.running}

    def able(self, version: str) -> int:
        """Instances that run and have started."""
        now = time.monotonic()
        late = sum(v == version and at > now for v, at in self._starting)
        return max(0, super().able(version) - late)

    @property
    def is_at_rest(self) -> bool:
        """Whether no write is held back any more."""
        return self._held == 0

    def die(self, version: str, count: int) -> None:
        """So many instances end by themselves, and are not started again."""
        with self._writing:
            self.running[version] = max(0, self.running[version] - count)

    # traffic
    def shares(self) -> SharesAsSet:
        """As set; where it lies, as it was asked to."""
        self._may_fail("reads")
        if self._told is not None:
            return SharesAsSet(shares=dict(self._told), mark=self.mark, acknowledged=True)
        return super().shares()

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """Set them, or only say so."""

        def write() -> None:
            if self._takes(Trouble.LIE, "set_shares"):
                self._told = {version: part for version, part in shares.items() if part}
                self.mark = mark
                return
            super(Troubled, self).set_shares(shares, mark, seen)
            self._told = None

        self._write("set_shares", mark, write)

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """As counted, by what users really get."""
        self._may_fail("reads")
        return super().snapshot(max_age_s)

    # workloads
    def versions(self) -> dict[str, VersionState]:
        """As they run. Right before the look after one that saw all good ones ready, they may die.

        So the death can be seen by whoever looks before each write.
        """
        self._may_fail("reads")
        for fault in self._of(Trouble.DEATH):
            if self._looks == fault.times and self._takes(Trouble.DEATH, fault.write, once=True):
                self.die("v1", max(1, self.able("v1") - round(fault.after_s) // 2))
        found = super().versions()
        self._looks += found["v1"].ready >= found["v2"].running
        return found

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """Start or stop; what starts may take a while."""

        def write() -> None:
            more = instances - self.running[version]
            super(Troubled, self).scale(version, instances, mark)
            slow = sum(fault.times for fault in self._of(Trouble.SLOW_START)) * 0.4
            self._starting += [(version, time.monotonic() + slow)] * max(0, more if slow else 0)

        self._write("scale", mark, write)

    def _write(self, name: str, mark: Mark, write: Callable[[], None]) -> None:
        if self._takes(Trouble.REFUSED, name):
            raise Unreachable(f"{name} was refused")
        self._hold_back(name)
        with self._writing:
            before = self.truth
            write()
            self.effects.append(Effect(name, mark, before, self.truth))
        if self._takes(Trouble.LOST_ANSWER, name):
            raise Unreachable(f"the answer to {name} was lost")

    def _hold_back(self, name: str) -> None:
        for fault in self._of(Trouble.LATE_WRITE):
            if self._takes(Trouble.LATE_WRITE, name, once=True):
                self._held += 1
                time.sleep(HELD_S * (1 + fault.times))
                self._held -= 1

    def _may_fail(self, name: str) -> None:
        if self._takes(Trouble.UNREADABLE, name):
            raise Unreachable("it could not be read")

    def _takes(self, trouble: Trouble, name: str, *, once: bool = False) -> bool:
        """Whether such a fault is left for this call; it is one less then."""
        with self._writing:
            for fault in self._of(trouble):
                if self._left[id(fault)] and name in (fault.write, "reads"):
                    self._left[id(fault)] = 0 if once else self._left[id(fault)] - 1
                    return True
        return False

    def _of(self, trouble: Trouble) -> list[Fault]:
        return [fault for fault in self.faults if fault.trouble is trouble]
