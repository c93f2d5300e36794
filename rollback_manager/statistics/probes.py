"""Probes of single instances, round after round: what their judgement needs, and no more."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.instances import (
    IN_A_ROW,
    UNHEALTHY_SHARE,
    Instance,
    judge_instances,
)


class Probe(NamedTuple):
    """One instance, asked once. since: when its process began, as far as that is known."""

    name: str
    version: str
    passed: bool
    since: datetime | None = None


@dataclass(frozen=True)
class _Kept:
    version: str
    since: datetime
    passed: tuple[bool, ...] = ()
    was_up: bool = False
    failing_since: datetime | None = None


@dataclass(frozen=True)
class Probes:
    """The last probes of every instance. start_within_s: how long a new one may take to come up."""

    start_within_s: float
    at: datetime | None = None
    kept: dict[str, _Kept] = field(default_factory=dict)

    def with_round(self, probes: Iterable[Probe], at: datetime) -> Self:
        """After one more round; an instance that is not among them was stopped on purpose."""
        kept = {one.name: self._with(one, at) for one in probes}
        return type(self)(self.start_within_s, at, kept)

    def forgotten(self) -> Self:
        """After a gap: what failed before it and after it did not fail in a row."""
        kept = {
            name: _Kept(one.version, one.since, was_up=one.was_up)
            for name, one in self.kept.items()
        }
        return type(self)(self.start_within_s, self.at, kept)

    def _with(self, probe: Probe, at: datetime) -> _Kept:
        before = self.kept.get(probe.name)
        if before is None:
            before = _Kept(probe.version, min(at, probe.since or at))
        return _Kept(
            probe.version,
            min(before.since, probe.since or at),
            (*before.passed, probe.passed)[-IN_A_ROW:],
            before.was_up or probe.passed,
            None if probe.passed else before.failing_since or at,
        )

    def instances(self) -> tuple[Instance, ...]:
        """As they are judged.

        Starting is one that has never passed, since its first process began: one that crashes and
        is started again and again is excused for no longer.
        """
        if self.at is None:
            return ()
        young = self.at - timedelta(seconds=self.start_within_s)
        return tuple(
            Instance(one.version, one.passed, starting=not one.was_up and one.since > young)
            for one in self.kept.values()
        )

    def starting(self, version: str) -> bool:
        """Whether none of its instances has come up yet, and they still may."""
        own = [one for one in self.instances() if one.version == version]
        return bool(own) and all(one.starting for one in own)

    def finding(self, version: str, control: str) -> Finding:
        """The answer for `version`; not against it where its control's instances fail as well.

        Those count from their first failed probe on: a false hold costs seconds.
        """
        found = judge_instances(self.instances(), version)
        if found.answer is not Answer.REGRESSED:
            return found
        running = [one for one in self.instances() if one.version == control and not one.starting]
        failing = sum(not one.passed[-1] for one in running if one.passed)
        if running and failing / len(running) > UNHEALTHY_SHARE:
            because = f"{found.because}; {failing} of {len(running)} of {control} fail as well"
            held = {"answer": Answer.CANNOT_TELL, "because": f"{because}: not the release, hold"}
            return found.model_copy(update=held)
        words = f"{len(running) - failing} healthy instances of {control}"
        seen = {"compared": True, "comparator": words} if running else {}
        return found.model_copy(update={**seen, "lasted_s": self._lasted_s(version)})

    def _lasted_s(self, version: str) -> float | None:
        """Since the first of the failures that stand."""
        own = (one for one in self.kept.values() if one.version == version)
        begun = [one.failing_since for one in own if one.failing_since is not None]
        if self.at is None or not begun:
            return None
        return (self.at - min(begun)).total_seconds()
