"""What a stated confidence is worth: measured on judged alarms of the past. Pure.

confidence = 1 − share of false alarms at the same evidence (detection A.8). The seed's sum of
indicators is no probability; it stands beside this one and is never mixed with it.
"""

from collections.abc import Iterable

from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.policy import DecisionPolicy
from rollback_manager.values import Count, Ratio, Value

BINS = 10


class Level(Value):
    """Judged alarms of one trigger with evidence of `nats_from` or more, up to the next level."""

    trigger: TriggerKind
    nats_from: float
    alarms: Count
    false: Count


class Calibration(Value):
    """The past of the service, and of all others of its environment.

    unread: why it could not be read; empty where it was, however little there is.
    """

    service: tuple[Level, ...] = ()
    fleet: tuple[Level, ...] = ()
    unread: str = ""


class Calibrated(Value):
    """A measured confidence; None where too few alarms were judged, and why."""

    confidence: Ratio | None
    because: str


def calibrated(
    past: Calibration, trigger: TriggerKind, nats: float, policy: DecisionPolicy
) -> Calibrated:
    """1 − (own false + k × fleet's share) ÷ (own alarms + k), k = the policy's weight.

    The fleet's share is (false + 1) ÷ (alarms + 2), Laplace's rule: an alarm that was never false
    so far may still be. A service with a long past of its own is judged by that.
    """
    if past.unread:
        return Calibrated(confidence=None, because=f"not calibrated: {past.unread}")
    own, fleet = _at(past.service, trigger, nats), _at(past.fleet, trigger, nats)
    if own.alarms + fleet.alarms < policy.calibration_alarms:
        because = (
            f"not calibrated: {own.alarms + fleet.alarms} judged alarms at this evidence,"
            f" {policy.calibration_alarms} are needed"
        )
        return Calibrated(confidence=None, because=because)
    weight = policy.calibration_weight
    share = (fleet.false + 1) / (fleet.alarms + 2)
    false = (own.false + weight * share) / (own.alarms + weight) if own.alarms + weight else share
    because = (
        f"{own.false} of {own.alarms} own and {fleet.false} of {fleet.alarms} other alarms"
        f" at {nats:.1f} nats were false"
    )
    return Calibrated(confidence=round(1 - min(1.0, false), 9), because=because)


def _at(levels: tuple[Level, ...], trigger: TriggerKind, nats: float) -> Level:
    """The highest level that this evidence reaches; an empty one where there is none."""
    reached = [one for one in levels if one.trigger is trigger and one.nats_from <= nats]
    empty = Level(trigger=trigger, nats_from=0, alarms=0, false=0)
    return max(reached, key=lambda one: one.nats_from, default=empty)


class Bin(Value):
    """Statements whose stated confidence lies in one tenth: how often they came true."""

    stated_from: Ratio
    count: Count
    stated: Ratio
    came_true: Ratio


class CalibrationReport(Value):
    """The reliability table and the expected calibration error of some statements."""

    bins: tuple[Bin, ...]
    expected_error: Ratio
    count: Count


def report(statements: Iterable[tuple[float, bool]]) -> CalibrationReport:
    """From (stated confidence, whether it came true): ten bins, the empty ones left out.

    Expected calibration error = Σ count ÷ all × |stated − came true| (Naeini et al., 2015).
    """
    told = list(statements)
    places = [min(BINS - 1, int(stated * BINS + 1e-9)) for stated, _ in told]
    bins = tuple(
        _bin(place, [one for one, at in zip(told, places, strict=True) if at == place])
        for place in sorted(set(places))
    )
    error = sum(one.count * abs(one.stated - one.came_true) for one in bins)
    return CalibrationReport(
        bins=bins, expected_error=error / len(told) if told else 0.0, count=len(told)
    )


def _bin(place: int, told: list[tuple[float, bool]]) -> Bin:
    return Bin(
        stated_from=place / BINS,
        count=len(told),
        stated=min(1.0, sum(stated for stated, _ in told) / len(told)),
        came_true=sum(true for _, true in told) / len(told),
    )
