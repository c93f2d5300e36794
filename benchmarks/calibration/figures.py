"""What was stated beside what came true: of the calibrated confidence, and of the seed's sum."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.calibration.alarms import AS_SHIPPED, Stated, alarms
from benchmarks.calibration.mix import Mix
from benchmarks.detection.history import Histories
from benchmarks.detection.world import WATCH_S
from benchmarks.figures import progress
from rollback_manager.decision.calibration import Calibration, CalibrationReport, calibrated, report
from rollback_manager.decision.factors import root_cause
from rollback_manager.decision.levels import calibration
from rollback_manager.incidents.indicators import Indicator
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.policy import DecisionPolicy

POLICY = DecisionPolicy()
SIGNS = (Indicator.DEPLOYMENT_TIMING, Indicator.VERSION_SPECIFIC)
"""What every alarm in world S has: it began after the release, and the new version alone is hit."""


@dataclass(frozen=True)
class Score:
    """A reliability table and a mean squared error (Brier, 1950)."""

    table: CalibrationReport
    brier: float

    @classmethod
    def of(cls, told: Sequence[tuple[float, bool]]) -> "Score":
        """From (stated confidence, whether the release was bad)."""
        squares = sum((stated - true) ** 2 for stated, true in told)
        return cls(report(told), squares / len(told) if told else 0.0)

    def as_json(self) -> dict[str, object]:
        """What scripts read."""
        rows = [one.model_dump() for one in self.table.bins]
        return {
            "alarms": self.table.count,
            "expected_calibration_error": round(self.table.expected_error, 4),
            "brier": round(self.brier, 4),
            "bins": rows,
        }


@dataclass(frozen=True)
class Results:
    """Of fresh alarms: our confidence, the seed's, and how many had none of ours.

    fleet: what a service without a past of its own would be told, from that of the others.
    shipped: of those alone that the detector gives at its own threshold.
    """

    calibrated: Score
    fleet: Score
    seeds: Score
    calibrated_shipped: Score
    seeds_shipped: Score
    by_traffic: dict[str, Score]
    fleet_by_traffic: dict[str, Score]
    not_calibrated: int
    bad_share: float

    def as_json(self) -> dict[str, object]:
        """What scripts read."""
        return {
            "calibrated": self.calibrated.as_json(),
            "calibrated_without_own_past": self.fleet.as_json(),
            "uncalibrated_seed": self.seeds.as_json(),
            "at_shipped_threshold": {
                "calibrated": self.calibrated_shipped.as_json(),
                "uncalibrated_seed": self.seeds_shipped.as_json(),
            },
            "expected_calibration_error_by_rps": errors(self.by_traffic),
            "without_own_past_by_rps": errors(self.fleet_by_traffic),
            "not_calibrated": self.not_calibrated,
            "bad_share_of_alarms": round(self.bad_share, 4),
        }


def errors(scores: dict[str, Score]) -> dict[str, float]:
    """The expected calibration error of each."""
    return {name: round(one.table.expected_error, 4) for name, one in scores.items()}


def measure(mix: Mix, seeds: tuple[int, int], watch_s: int = WATCH_S) -> Results:
    """Calibrate on releases of the first seed, state and score on those of the second."""
    histories = Histories()
    past = _all(mix, seeds[0], histories, watch_s, "the past")
    fresh = _all(mix, seeds[1], histories, watch_s, "fresh")
    told, none = _told(past, fresh)
    strange, _ = _told(past, fresh, own=False)
    of_shipped, _ = _told(_shipped(past), _shipped(fresh))
    return Results(
        calibrated=_score(told, "ours"),
        fleet=_score(strange, "ours"),
        seeds=_score(told, "seeds"),
        calibrated_shipped=_score(of_shipped, "ours"),
        seeds_shipped=_score(of_shipped, "seeds"),
        by_traffic=_by_traffic(mix, told),
        fleet_by_traffic=_by_traffic(mix, strange),
        not_calibrated=none,
        bad_share=sum(one.bad for one in told) / max(1, len(told)),
    )


def _all(mix: Mix, seed: int, histories: Histories, watch_s: int, what: str) -> list[Stated]:
    found: list[Stated] = []
    for cell in mix.cells(seed):
        found += alarms(cell, histories, watch_s)
        progress(f"{what}: {cell.releases} releases at {cell.rps} rps, {len(found)} alarms so far")
    return found


def _shipped(stated: Iterable[Stated]) -> list[Stated]:
    return [one for one in stated if one.part == AS_SHIPPED]


class Told(NamedTuple):
    """What was said of an alarm, calibrated and by the seed, and whether the release was bad."""

    ours: float
    seeds: float
    bad: bool
    rps: float


def _told(
    past: Sequence[Stated], fresh: Sequence[Stated], *, own: bool = True
) -> tuple[list[Told], int]:
    """And of how many nothing was said. A release counts once for each confidence it was given.

    own: the service's own past counts as such; else it is as if that of any other.
    """
    names = {one.alarm.service for one in fresh}
    known = {name: _known(past, name if own else "") for name in names}
    told, none = dict[tuple[str, TriggerKind, float], Told](), 0
    for one in fresh:
        answer = calibrated(
            known[one.alarm.service], one.alarm.trigger, one.alarm.nats, POLICY
        ).confidence
        if answer is None:
            none += 1
            continue
        seeds = root_cause(SIGNS, one.at_s, POLICY).confidence
        key = (one.alarm.incident, one.alarm.trigger, answer)
        told.setdefault(key, Told(answer, seeds, not one.alarm.false, one.rps))
    return list(told.values()), none


def _known(past: Sequence[Stated], name: str) -> Calibration:
    return calibration([one.alarm for one in past], name, POLICY)


def _by_traffic(mix: Mix, told: Sequence[Told]) -> dict[str, Score]:
    return {
        str(rps): _score([one for one in told if one.rps == rps], "ours") for rps in mix.traffics
    }


def _score(told: Iterable[Told], whose: str) -> Score:
    return Score.of([(getattr(one, whose), one.bad) for one in told])
