"""Tests of a release that need other eyes than the traffic's counters.

Each has its own interval and its own reads, bounded in time and in other threads than the looks';
what it has seen last is judged at every look.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from activities.targets import DataIntegrity, Target, Targets
from activities.watch.kept_numbers import Measure
from activities.watch.numbers import Numbers
from activities.watch.throughput import NAME, UNIT, Throughput
from activities.watch.timed import OTHERS
from activities.watch.under_watch import Told
from activities.watch.watched_data import WatchedData
from activities.watch.watched_instances import WatchedInstances
from activities.watch.watched_journeys import WatchedJourneys
from activities.watch.watched_numbers import WatchedNumber, all_of
from rollback_manager.catalogue import Placement
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release
from rollback_manager.statistics.business import BUSINESS, THROUGHPUT, Declared
from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.release_watch import together
from rollback_manager.statistics.unknown import TEST as UNKNOWN
from rollback_manager.statistics.unknown import Unknown
from rollback_manager.watch.detected import speaks


@dataclass(frozen=True)
class Place:
    """One service in one environment, and what the catalogue says of it there."""

    env: str
    service: str
    placement: Placement


class OtherTests:
    """All of one service; what is remembered of one release is not held against the next."""

    def __init__(
        self,
        place: Place,
        policy: DecisionPolicy,
        targets: Targets,
        numbers: Numbers,
        threads: Executor = OTHERS,
    ) -> None:
        self._policy = policy

        def target() -> Target:
            return targets(place.env, place.service)

        def watched(measure: Measure) -> WatchedNumber:
            return WatchedNumber(place.env, place.service, measure, numbers, threads)

        self._instances = WatchedInstances(lambda: target().workloads, policy, threads)
        self._journeys = (
            WatchedJourneys(place.placement.journeys, target, policy.journeys_every_s, threads)
            if place.placement.journeys
            else None
        )
        self._business = [watched(one) for one in _business(place.placement, target)]
        self._data = [
            WatchedData(check, _data_check(target, number), threads)
            for number, check in enumerate(place.placement.data_checks)
        ]
        self._throughput = watched(_throughput(target))
        self._version = ""
        self._unknown = Unknown()

    def with_theirs(self, told: Told, release: Release, beside: str, at: datetime) -> Told:
        """What the looks told, with these tests' answers; the most evident regression is said.

        beside: the old version that has traffic too; empty: none.
        """
        if release.version != self._version:
            self._version, self._unknown = release.version, Unknown()
        own = self._of_the_release(release, beside, at)
        unknown = self._not_known((*(told.tests or (told.verdict,)), *own), at)
        others = (*own, *self._of_the_service(release, at), unknown)
        advice = "; ".join(one for one in (told.advice, *_blind(others)) if one)
        verdict = _verdict(told.verdict, others)
        return Told(verdict, (*told.tests, *others), advice)

    def _of_the_release(self, release: Release, beside: str, at: datetime) -> tuple[Finding, ...]:
        """What is known of the new version alone."""
        instances = self._instances.finding(release.version, beside, at)
        if self._journeys is None:
            return (instances,)
        return instances, self._journeys.finding(release.version, beside, at)

    def _of_the_service(self, release: Release, at: datetime) -> tuple[Finding, ...]:
        """What both versions have a part in, and what says nothing of a small share."""
        groups = ([one.finding(release, at) for one in row] for row in (self._business, self._data))
        several = [all_of(findings) for findings in groups if findings]
        return (*several, self._throughput.finding(release, at))

    def read_on(self, at: datetime) -> None:
        """Also while nothing is under watch: what is usual, or broken already, is learnt then."""
        for number in (*self._business, self._throughput):
            number.take(at)
        for check in self._data:
            check.take(at)

    def _not_known(self, findings: tuple[Finding, ...], at: datetime) -> Finding:
        """Nothing can be known of a release that still comes up, and that is no news."""
        if self._instances.starting(self._version, at):
            self._unknown = Unknown()
        else:
            self._unknown = self._unknown.with_more(findings, at)
        return self._unknown.finding(self._policy.cannot_tell_s)


def _verdict(of_looks: Finding, others: tuple[Finding, ...]) -> Finding:
    """The one answer. Trouble of the old version comes first; one regression outweighs the rest."""
    if of_looks.test == "common_mode":
        return of_looks
    worse = [one for one in others if one.answer is Answer.REGRESSED]
    if of_looks.answer is Answer.REGRESSED or worse:
        return together((of_looks, *worse))
    return next((one for one in others if speaks(one)), of_looks)


def _blind(others: tuple[Finding, ...]) -> Iterator[str]:
    """What cannot be told, in words: somebody relies on these tests. Former days may be missing."""
    for one in others:
        if one.answer is Answer.CANNOT_TELL and one.test not in (NAME, UNKNOWN):
            yield f"{one.test} cannot tell: {one.because}"


def _business(placement: Placement, target: Callable[[], Target]) -> Iterator[Measure]:
    for place, source in enumerate(placement.business):
        floor, better = source.floor, source.better
        yield Measure(
            name=f"business: {source.name}",
            label=f"{source.name} ({source.unit})",
            read=_reading(target, place),
            every_s=source.every_s,
            floor=BUSINESS,
            declared=None if floor is None else Declared(floor, better),
            has_season=better == "higher",  # what should be low has no floor to fall below
        )


def _reading(target: Callable[[], Target], place: int) -> Callable[[datetime], Number | NoNumber]:
    return lambda _due_at: target().business[place].read()


def _data_check(target: Callable[[], Target], place: int) -> Callable[[], DataIntegrity]:
    return lambda: target().data_checks[place]


def _throughput(target: Callable[[], Target]) -> Measure:
    read = Throughput(lambda: target().traffic).read
    return Measure(name=NAME, label=UNIT, read=read, every_s=60.0, floor=THROUGHPUT)
