"""What there is to draw of one service's rollback, and the same in words.

A run is what was measured without a gap. Between two runs nobody looked, which is not 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from rollback_manager.rendering.words import UNKNOWN, percent
from rollback_manager.report import Point, Report, ServicePart

LOOKS = timedelta(seconds=5)
"""Without a measurement for so long there is a gap, if that is not how often it was looked."""
ENOUGH = 30
"""Answers that an error ratio rests on, if there are so many: one failed of 3 is 33 %."""
SECOND = timedelta(seconds=1)
"""What an error ratio is of, as evidence is; steps look four times as often."""


class Measured(NamedTuple):
    """One value at one moment."""

    at: datetime
    y: float


Run = list[Measured]


class Answers(NamedTuple):
    """What a version answered until a moment. failed: or whatever else is counted of all."""

    at: datetime
    asked: int
    failed: int

    def then(self, more: "Answers") -> "Answers":
        """Both together."""
        return Answers(more.at, self.asked + more.asked, self.failed + more.failed)


def in_words(r: Report, service: str = "") -> str:
    """What the picture shows, one line for each service; `unknown` where nothing was measured."""
    parts = [part for part in r.services if service in ("", part.plan.service)]
    return "\n".join(_in_words(part) for part in parts) or "unknown: there is no plan."


def _in_words(part: ServicePart) -> str:
    old, new = part.plan.from_version, part.plan.to_version
    errors = [value.y for run in errors_of(part, old) for value in run]
    later = [value.y for run in errors_of(part, new) for value in run]
    shares = [value.y for run in shares_of(part, new) for value in run]
    lowest = UNKNOWN if part.lowest_ready is None else str(part.lowest_ready)
    return (
        f"{part.plan.service}: highest error ratio of {old} {_percent(max(errors, default=None))}; "
        f"last error ratio of {new} {_percent(later[-1] if later else None)}. "
        f"Share of requests answered by {new}: lowest {_percent(min(shares, default=None))}, "
        f"last {_percent(shares[-1] if shares else None)}. "
        f"Lowest number of ready instances {lowest}, floor {part.plan.floor}. "
        "Gaps: nobody measured."
    )


def versions(part: ServicePart) -> list[str]:
    """The good version, the bad one, then any other."""
    two = [part.plan.to_version, part.plan.from_version]
    seen = {v for point in part.points for v in (*point.requests, *point.ready)}
    return [*two, *sorted(seen - set(two))]


def errors_of(part: ServicePart, version: str) -> list[Run]:
    """Failed answers of a version against all of its own, each value resting on enough of them."""
    runs = _runs(point for point in part.points if point.requests.get(version))
    return [ratios(_answers(run, version)) for run in runs]


def shares_of(part: ServicePart, version: str) -> list[Run]:
    """Answers of a version against those of all: the same moments for every version."""
    runs = _runs(point for point in part.points if any(point.requests.values()))
    return [[Measured(p.at, _share(p, version)) for p in run] for run in runs]


def ready_of(part: ServicePart, version: str) -> list[Run]:
    """Ready instances of a version."""
    runs = _runs(point for point in part.points if version in point.ready)
    return [[Measured(p.at, p.ready[version]) for p in run] for run in runs]


def ready_for_users(part: ServicePart, version: str) -> list[Run]:
    """Ready instances of a version while it got requests."""
    runs = _runs(point for point in part.points if version in point.ready)
    parts = (groupby(run, key=lambda p: p.requests.get(version, 0) > 0) for run in runs)
    used = (list(points) for part in parts for is_used, points in part if is_used)
    return [[Measured(p.at, p.ready[version]) for p in points] for points in used]


def longest_look(times: Sequence[datetime]) -> timedelta:
    """The longest time between two looks that is no gap: thrice what is usual, or LOOKS."""
    steps = sorted(after - before for before, after in pairwise(times))
    return max(LOOKS, 3 * steps[len(steps) // 2]) if steps else LOOKS


def _runs(points: Iterable[Point]) -> list[list[Point]]:
    known = list(points)
    longest = longest_look([point.at for point in known])
    runs = [known[:1]] if known else []
    for before, after in pairwise(known):
        if after.at - before.at > longest:
            runs.append([])
        runs[-1].append(after)
    return runs


def _answers(run: list[Point], version: str) -> Iterator[Answers]:
    for point in run:
        yield Answers(point.at, point.requests[version], point.errors.get(version, 0))


def ratios(answers: Iterable[Answers]) -> Run:
    """Failed of all, each value resting on enough of them."""
    return [Measured(w.at, w.failed / w.asked) for w in _windows(answers)]


def _windows(answers: Iterable[Answers]) -> list[Answers]:
    """Neighbours put together until they are enough; what is left at the end goes to the last."""
    windows: list[Answers] = []
    for seen in answers:
        if windows and not _are_enough(windows):
            windows[-1] = windows[-1].then(seen)
        else:
            windows.append(seen)
    if len(windows) > 1 and not _are_enough(windows):
        rest = windows.pop()
        windows[-1] = windows[-1].then(rest)
    return windows


def _are_enough(windows: list[Answers]) -> bool:
    """Whether the last of them is: in answers, and in time if it is known since when they count."""
    *before, last = windows
    return last.asked >= ENOUGH and all(last.at - w.at >= SECOND for w in before[-1:])


def _share(point: Point, version: str) -> float:
    return point.requests.get(version, 0) / sum(point.requests.values())


def _percent(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else percent(ratio)
