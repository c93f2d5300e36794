"""The watch's journeys: made at an instance of the new version, and at one of the old beside it."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime
from typing import NamedTuple

from activities.targets import InstanceState, Target
from activities.watch.timed import LATE_S, OTHERS, Timed
from rollback_manager.catalogue import Journey
from rollback_manager.statistics.evidence import Finding, cannot_tell
from rollback_manager.statistics.journeys import IN_A_ROW, TEST, Asked, Told, judge_journeys, told
from rollback_manager.verification import Verdict

COMPARATOR = "the old version"
SIDES = 2
"""The new version's instance; the old one's, or the front door."""
Verdicts = dict[str, Verdict]


class _Round(NamedTuple):
    of: tuple[str, str]
    journeys: dict[str, Told]


class WatchedJourneys:
    """All journeys of the catalogue, one round after the other."""

    def __init__(
        self,
        journeys: Iterable[Journey],
        target: Callable[[], Target],
        every_s: float,
        threads: Executor = OTHERS,
    ) -> None:
        journeys = tuple(journeys)
        self._checks = [f"journey: {one.name}" for one in journeys]
        self._target, self._every_s = target, every_s
        self._rounds = Timed(self._round, every_s, threads, LATE_S + _longest_s(journeys))
        self._of = "", ""
        self._number = 0
        self._recent: deque[dict[str, Told]] = deque(maxlen=IN_A_ROW)
        self._recent_at: datetime | None = None
        self._trouble = ""
        self._said: Finding | None = None

    def finding(self, version: str, control: str, at: datetime) -> Finding:
        """Of the newest rounds beside that control."""
        if (version, control) != self._of:
            self._of, self._trouble, self._said = (version, control), "", None
            self._recent.clear()
        news = self._rounds.news(at)
        if news is not None:
            self._trouble, self._said = news.trouble, None
            if news.value is None:
                self._recent.clear()  # what failed before the gap did not fail in a row
            elif news.value.of == self._of:
                self._take(news.value.journeys, news.at)
        if trouble := self._trouble or self._rounds.late(at):
            return cannot_tell(TEST, COMPARATOR, f"they cannot be made: {trouble}")
        if self._said is None:
            self._said = judge_journeys(tuple(self._recent), self._every_s)
        return self._said

    def _take(self, journeys: dict[str, Told], at: datetime) -> None:
        if self._recent_at is not None and not self._rounds.stands(self._recent_at, at):
            self._recent.clear()
        self._recent.append(journeys)
        self._recent_at = at

    def _round(self, _due_at: datetime) -> _Round:
        """Another instance each time: one that is broken alone is the probes' business."""
        of, target, self._number = self._of, self._target(), self._number + 1
        instances = target.workloads.instances()
        new, old = (self._at(target, instances, one) for one in of)
        alone = not of[1]
        front = _by_name(target.journeys.run()) if alone else {}
        sides = {one: Asked(new.get(one), old.get(one), front.get(one)) for one in self._checks}
        return _Round(of, {name: told(asked) for name, asked in sides.items()})

    def _at(self, target: Target, instances: tuple[InstanceState, ...], version: str) -> Verdicts:
        """At one of its ready instances; empty where none can be asked."""
        own = [one for one in instances if one.version == version and one.ready and one.address]
        if not own:
            return {}
        return _by_name(target.journeys.run_at(own[self._number % len(own)].address))


def _longest_s(journeys: Iterable[Journey]) -> float:
    """Of a round, in seconds: one journey after the other, at both sides.

    Each takes twice its time at most: one for the answer's beginning, one for the rest of it.
    """
    return SIDES * sum(2 * one.within_ms / 1000 for one in journeys)


def _by_name(verdicts: tuple[Verdict, ...]) -> Verdicts:
    return {one.check: one for one in verdicts}
