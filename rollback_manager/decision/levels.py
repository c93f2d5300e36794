"""How often alarms were false at which evidence: the past that a calibration rests on. Pure.

An incident is counted at the evidence with which it was judged, the first time and the last: what
is decided now is compared with what was decided in the same position.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rollback_manager.decision.calibration import Calibration, Level
from rollback_manager.decision.ledger import Label
from rollback_manager.incidents.incident import Incident
from rollback_manager.incidents.triggers import Finding, TriggerKind
from rollback_manager.policy import DecisionPolicy
from rollback_manager.values import Value

PARTS = 10
"""A level holds a tenth of a trigger's incidents or more: as fine as a reliability table."""


class PastAlarm(Value):
    """One trigger that fired in one judgement, and whether it was false."""

    incident: str
    service: str
    trigger: TriggerKind
    nats: float
    false: bool


class _Facts(Value):
    incident: Incident


class _Judgement(Value):
    facts: _Facts


def alarms_in(entry: str, label: Label) -> tuple[PastAlarm, ...]:
    """The alarms in a decision's record, a JSON text of `Entry`.

    Nothing else of it is read: it is quick, and a record of another build is no obstacle.
    """
    incident = _Judgement.model_validate_json(entry).facts.incident
    return tuple(
        PastAlarm(
            incident=incident.id,
            service=incident.service,
            trigger=one.strongest.trigger,
            nats=one.strongest.nats,
            false=not label.bad,
        )
        for one in incident.joined
        if one.strongest.finding is Finding.REGRESSED
    )


def calibration(alarms: Sequence[PastAlarm], service: str, policy: DecisionPolicy) -> Calibration:
    """The levels of one service and of all others, cut alike, so that they can be put together."""
    cut = edges(alarms, policy.calibration_alarms)
    return Calibration(
        service=levels((one for one in alarms if one.service == service), cut),
        fleet=levels((one for one in alarms if one.service != service), cut),
    )


def edges(alarms: Sequence[PastAlarm], fewest: int) -> dict[TriggerKind, tuple[float, ...]]:
    """Where the levels of each trigger begin: each has as many incidents as the next.

    That are a tenth of them, and `fewest` at least if there are so many. Below the lowest evidence
    that was ever judged there is no level, for nothing is known there.
    """
    found = defaultdict[TriggerKind, list[PastAlarm]](list)
    for one in sorted(alarms, key=lambda one: one.nats):
        found[one.trigger].append(one)
    return {trigger: _edges(rising, max(1, fewest)) for trigger, rising in found.items()}


def _edges(rising: Sequence[PastAlarm], fewest: int) -> tuple[float, ...]:
    wanted = max(fewest, -(-len({one.incident for one in rising}) // PARTS))
    begins, inside = [rising[0].nats], set[str]()
    for before, one in pairwise(rising):
        inside.add(before.incident)
        if len(inside) >= wanted and one.nats > before.nats:
            begins.append(one.nats)
            inside = set()
    inside.add(rising[-1].incident)
    too_few = len(begins) > 1 and len(inside) < fewest
    return tuple(begins[:-1] if too_few else begins)


def levels(
    alarms: Iterable[PastAlarm], cut: Mapping[TriggerKind, Sequence[float]]
) -> tuple[Level, ...]:
    """By trigger and evidence; an incident counts once in each, however often it was judged."""
    found = defaultdict[tuple[TriggerKind, float], dict[str, bool]](dict)
    for one in alarms:
        place = bisect_right(cut[one.trigger], one.nats) - 1
        found[one.trigger, cut[one.trigger][max(0, place)]][one.incident] = one.false
    order = list(TriggerKind)
    return tuple(
        Level(
            trigger=trigger,
            nats_from=nats_from,
            alarms=len(found[trigger, nats_from]),
            false=sum(found[trigger, nats_from].values()),
        )
        for trigger, nats_from in sorted(found, key=lambda key: (order.index(key[0]), key[1]))
    )
