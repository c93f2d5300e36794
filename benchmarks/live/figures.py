"""What a series of runs comes to: times, shares inside the seed's minutes, false rollbacks."""

from collections.abc import Sequence

from benchmarks.figures import Figure
from benchmarks.live.plan import Run, Stages
from demo.scenarios import SCENARIOS
from rollback_manager.statistics.passing_trouble import SETTLED_S
from rollback_manager.values import Count, Ratio, Value

LIMITS_S = {"incident": 60, "decision": 120, "change": 300, "verified": 600}
"""The seed's: noticed in 1 minute, decided in 2, carried out in 5, users well in 10."""
BAD, UNDISTURBED = "all bad", "all bad, machine not too busy"
EARLY, LATER = "all bad, from the first 90 s", "all bad, from later"
"""A fault that begins after `SETTLED_S` and both fails and slows is held for `PATIENCE_S`."""


class Spread(Value):
    """The middle, the quartiles and the worst of so many values."""

    median: float
    low: float
    high: float
    worst: float
    of: Count

    @classmethod
    def over(cls, values: Sequence[float]) -> "Spread | None":
        """None of no value."""
        if not values:
            return None
        one = Figure.of(list(values))
        low, middle, high, worst = (
            round(value, 2) for value in (one.low, one.median, one.high, max(values))
        )
        return cls(median=middle, low=low, high=high, worst=worst, of=len(values))


class Kind(Value):
    """All runs of one scenario.

    within: by stage, the share inside the seed's limit, of all runs, also those that failed.
    disturbed: those in which the machine was too busy. lost: users' requests that failed, of each
    run; late: those of a fault that makes them slow.
    """

    runs: Count
    failed: Count
    wrong: Count
    disturbed: Count
    incidents: Count
    rolled_back: Count
    false_rollbacks: Count
    asked_a_person: Count
    lost: Spread | None
    late: Spread | None
    lost_by_us: Count
    seconds: dict[str, Spread | None]
    within: dict[str, Ratio]


class Named(Value):
    """A run that is told by its name. kept: its folder."""

    run: str
    because: str
    kept: str = ""


class Figures(Value):
    """The series."""

    runs: Count
    failed: tuple[Named, ...]
    wrong: tuple[Named, ...]
    false_rollbacks: Count
    watched_well_s: float | None
    """The shortest that a release without a fault was watched with users."""
    scenarios: dict[str, Kind]


def figures(runs: Sequence[Run]) -> Figures:
    """Each scenario, then all that should be rolled back together."""
    by_name = {name: [run for run in runs if run.scenario == name] for name in SCENARIOS}
    by_name[BAD] = [run for run in runs if _is_bad(run)]
    by_name[UNDISTURBED] = [run for run in by_name[BAD] if not (run.users and run.users.disturbed)]
    begun = [run for run in by_name[BAD] if run.first_bad_s is not None]
    by_name[EARLY] = [run for run in begun if (run.first_bad_s or 0) <= SETTLED_S]
    by_name[LATER] = [run for run in begun if (run.first_bad_s or 0) > SETTLED_S]
    watched = (run.watched_s for run in runs if not _is_bad(run))
    return Figures(
        runs=len(runs),
        failed=tuple(Named(run=r.name, because=r.failure) for r in runs if r.failure),
        wrong=tuple(Named(run=r.name, because=r.wrong, kept=r.kept) for r in runs if r.wrong),
        false_rollbacks=sum(_is_false(run) for run in runs),
        watched_well_s=min((s for s in watched if s is not None), default=None),
        scenarios={name: _kind(some) for name, some in by_name.items() if some},
    )


def _kind(runs: Sequence[Run]) -> Kind:
    users = [run.users for run in runs if run.users]
    bad = _is_bad(runs[0])
    return Kind(
        runs=len(runs),
        failed=sum(bool(run.failure) for run in runs),
        wrong=sum(bool(run.wrong) for run in runs),
        disturbed=sum(one.disturbed for one in users),
        incidents=sum(run.incident for run in runs),
        rolled_back=sum(run.rolled_back for run in runs),
        false_rollbacks=sum(_is_false(run) for run in runs),
        asked_a_person=sum(run.asked_a_person for run in runs),
        lost=Spread.over([one.failed + one.by_us for one in users]),
        late=Spread.over([one.slow for one in users]),
        lost_by_us=sum(one.by_us for one in users),
        seconds={name: Spread.over(_times(runs, name)) for name in Stages.model_fields if bad},
        within={name: round(_within(runs, name), 3) for name in LIMITS_S if bad},
    )


def _is_bad(run: Run) -> bool:
    return SCENARIOS[run.scenario].rolls_back


def _is_false(run: Run) -> bool:
    """Nothing was wrong with the release, or not yet, and a rollback began, if only to ask."""
    if not _is_bad(run):
        return run.rolled_back or bool(run.rollback)
    return run.stages.incident is not None and run.stages.incident < 0


def _times(runs: Sequence[Run], stage: str) -> list[float]:
    found = (run.stages.model_dump()[stage] for run in runs)
    return [seconds for seconds in found if seconds is not None]


def _within(runs: Sequence[Run], stage: str) -> float:
    return sum(0 <= seconds <= LIMITS_S[stage] for seconds in _times(runs, stage)) / len(runs)
