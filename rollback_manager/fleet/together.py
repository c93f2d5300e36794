"""What the plans of several services add up to: one approval, one list of gates, one time. Pure.

Of one service it is that service's own, word for word.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from rollback_manager.gates import GateAnswer, GateResult
from rollback_manager.plan import Estimate, Risk, ServicePlan
from rollback_manager.policy import ApprovalPolicy, OnExpiry, Policy
from rollback_manager.verification import Answer, Verdict

Waves = tuple[tuple[str, ...], ...]

NAMED = 5
"""Services that a line names before it counts the rest."""

WORST_FIRST = (
    GateAnswer.FAILED,
    GateAnswer.INCONCLUSIVE,
    GateAnswer.PASSED,
    GateAnswer.NOT_APPLICABLE,
)


def approval(policies: Sequence[Policy], *, asked_for: bool = False) -> ApprovalPolicy:
    """The strictest of them: one that asks is enough, the shortest deadline holds.

    asked_for: by the request itself.
    """
    asked = [policy.approval for policy in policies]
    rejects = any(one.on_expiry is OnExpiry.REJECT for one in asked)
    return ApprovalPolicy(
        required=asked_for or any(one.required for one in asked),
        escalate_s=min(one.escalate_s for one in asked),
        remind_s=min(one.remind_s for one in asked),
        deadline_s=min(one.deadline_s for one in asked),
        on_expiry=OnExpiry.REJECT if rejects else OnExpiry.HOLD,
    )


def gates(answers: Mapping[str, tuple[GateResult, ...]]) -> tuple[GateResult, ...]:
    """Each gate once, with its worst answer and the services that gave it."""
    if len(answers) == 1:
        return next(iter(answers.values()))
    by_gate: dict[str, list[tuple[str, GateResult]]] = {}
    for service, results in answers.items():
        for result in results:
            by_gate.setdefault(result.gate, []).append((service, result))
    return tuple(_worst(given) for given in by_gate.values())


def _worst(given: list[tuple[str, GateResult]]) -> GateResult:
    worst = min((result.answer for _, result in given), key=WORST_FIRST.index)
    mine = [(service, result) for service, result in given if result.answer is worst]
    said = {result.because for _, result in mine}
    if len(said) == 1 and len(mine) == len(given):
        because = said.pop()
    else:
        because = some(f"{service}: {result.because}" for service, result in mine)
    return mine[0][1].model_copy(update={"because": because})


def verdicts(answers: Mapping[str, tuple[Verdict, ...]]) -> tuple[Verdict, ...]:
    """Each check once, with its worst answer and the services that gave it."""
    if len(answers) == 1:
        return next(iter(answers.values()))
    order = list(Answer)
    by_check: dict[str, list[tuple[str, Verdict]]] = {}
    for service, own in answers.items():
        for verdict in own:
            by_check.setdefault(verdict.check, []).append((service, verdict))
    worst = []
    for given in by_check.values():
        answer = max((verdict.answer for _, verdict in given), key=order.index)
        mine = [(service, verdict) for service, verdict in given if verdict.answer is answer]
        because = some(f"{service}: {verdict.because}" for service, verdict in mine)
        worst.append(mine[0][1].model_copy(update={"because": because}))
    return tuple(worst)


def estimate(times: Mapping[str, Estimate], waves: Waves, width: int) -> Estimate:
    """Wave after wave, each as long as its slowest service, and at most `width` at once."""
    if len(times) == 1:
        return next(iter(times.values()))
    before, back, well = 0.0, 0.0, 0.0
    for wave in waves:
        rounds = math.ceil(len(wave) / width)
        slowest = max(times[name].verified_s for name in wave)
        back = before + (rounds - 1) * slowest + max(times[name].traffic_back_s for name in wave)
        well = before + rounds * slowest
        before = well
    sources = some(sorted({time.source for time in times.values()}))
    source = f"the slowest of each wave, {width} at once; {sources}"
    return Estimate(traffic_back_s=back, verified_s=well, source=source)


def abort_when(plans: Sequence[ServicePlan], width: int) -> tuple[str, ...]:
    """What stops it; agreed to with the plan."""
    several = len(plans) > 1
    floors = some(_by_words(plans, lambda plan: f"below {plan.floor}", several))
    steps = "a step fails for good or a check cannot tell: it stops there and asks"
    person = "a person says so: rollback-manager abort"
    if not several:
        return (f"ready would fall {floors}", steps, person)
    return (
        f"ready would fall {floors}",
        f"{steps}; at most {width} services are under way at once",
        "a service of a wave is not rolled back and verified: the next wave waits for a person",
        f"{person}; services that have ended stay as they are, also with --restore",
    )


def done_when(plans: Sequence[ServicePlan]) -> tuple[str, ...]:
    """What makes it complete; agreed to with the plan."""
    several = len(plans) > 1
    shares = _by_words(
        plans, lambda p: f"share of {p.to_version} ≥ {p.policy.confirmed_share:.0%}", several
    )
    checks = _by_words(plans, lambda p: f"≥ {p.policy.verification.min_window_s:.0f} s", several)
    return (f"measured {some(shares)}", f"all checks passed over {some(checks)}")


def risks(given: Mapping[str, tuple[Risk, ...]]) -> tuple[Risk, ...]:
    """Each risk once, with the services that have it."""
    if len(given) == 1:
        return next(iter(given.values()))
    whose: dict[tuple[str, str], list[str]] = {}
    for service, own in given.items():
        for risk in own:
            whose.setdefault((risk.risk, risk.mitigation), []).append(service)
    return tuple(
        Risk(risk=risk if len(names) == len(given) else f"{some(names)}: {risk}", mitigation=what)
        for (risk, what), names in whose.items()
    )


def some(texts: Iterable[str], apart: str = "; ") -> str:
    """The first few in full, and how many more there are; none is dropped without a word."""
    known = list(texts)
    more = [f"and {len(known) - NAMED} more"] if len(known) > NAMED else []
    return apart.join([*known[:NAMED], *more])


def _by_words(
    plans: Sequence[ServicePlan], words: Callable[[ServicePlan], str], several: bool
) -> list[str]:
    """What holds for all is said once; what differs is said with its services."""
    whose: dict[str, list[str]] = {}
    for plan in plans:
        whose.setdefault(words(plan), []).append(plan.service)
    if not several or len(whose) == 1:
        return list(whose)
    return [f"{said} ({some(names, ', ')})" for said, names in whose.items()]
