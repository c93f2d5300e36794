"""The seed's safety gates, all four groups. A group without a source says so; it never passes."""

from datetime import datetime, timedelta
from enum import StrEnum

from rollback_manager.metrics.reading import NoReading, Reading
from rollback_manager.values import Value
from rollback_manager.verification import Answer, Verdict, wilson


class Group(StrEnum):
    """When a gate is asked."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"
    COMPLETION = "completion"


class GateAnswer(StrEnum):
    """How a gate answers."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not_applicable"


class GateResult(Value):
    """One gate's answer and why."""

    group: Group
    gate: str
    answer: GateAnswer
    because: str


class BeforeFacts(Value):
    """What the gates before a rollback are judged from."""

    strategy: str
    touches_data: bool
    last_rehearsed: datetime | None
    rehearsed_within_days: int
    bad: Reading | NoReading
    good_error_ratio: float | None
    requested_by: str
    security: str
    approval_required: bool
    told: str
    now: datetime


def before(facts: BeforeFacts) -> tuple[GateResult, ...]:
    """The five gates before; one that failed blocks the start."""
    return (
        _backup(facts),
        _rehearsed(facts),
        _impact(facts),
        _authorization(facts),
        _result(Group.BEFORE, "communication", *_told(facts.told)),
    )


def _backup(facts: BeforeFacts) -> GateResult:
    if not facts.touches_data:
        because = f"{facts.strategy} touches no data: nothing that a backup would restore"
        return _result(Group.BEFORE, "backup_verification", GateAnswer.NOT_APPLICABLE, because)
    because = "no source of backups is configured"
    return _result(Group.BEFORE, "backup_verification", GateAnswer.INCONCLUSIVE, because)


def _rehearsed(facts: BeforeFacts) -> GateResult:
    limit = timedelta(days=facts.rehearsed_within_days)
    if facts.last_rehearsed is None:
        answer, because = GateAnswer.INCONCLUSIVE, "no rehearsal or verified rollback is recorded"
    else:
        age = facts.now - facts.last_rehearsed
        fresh = age <= limit
        answer = GateAnswer.PASSED if fresh else GateAnswer.INCONCLUSIVE
        because = f"last carried out {age.days} d ago (limit {limit.days} d)"
    return _result(Group.BEFORE, "rollback_procedure_tested", answer, because)


def _impact(facts: BeforeFacts) -> GateResult:
    """Rollback impact less than issue impact: a shift to a ready side costs no request."""
    name = "impact_assessment"
    if isinstance(facts.bad, NoReading):
        return _result(Group.BEFORE, name, GateAnswer.INCONCLUSIVE, facts.bad.because)
    low, high = wilson(facts.bad.errors, facts.bad.requests)
    normal = facts.good_error_ratio
    seen = (
        f"{facts.bad.version} fails {facts.bad.error_ratio:.1%} of {facts.bad.requests} requests"
        f" ({low:.1%} to {high:.1%} at 99 %)"
    )
    if normal is None:
        return _result(Group.BEFORE, name, GateAnswer.INCONCLUSIVE, f"{seen}; no baseline")
    if low > normal:
        because = f"{seen}, normal is {normal:.1%}; the way back is not expected to fail any"
        return _result(Group.BEFORE, name, GateAnswer.PASSED, because)
    because = f"{seen}, normal is {normal:.1%}: errors alone do not show that it is worse"
    return _result(Group.BEFORE, name, GateAnswer.INCONCLUSIVE, because)


def _authorization(facts: BeforeFacts) -> GateResult:
    local = facts.security == "local"
    proof = ", local operator, not authenticated" if local else "; only signed decisions count"
    who = f"asked for by {facts.requested_by}"
    rule = "a person must approve" if facts.approval_required else "policy asks for no approval"
    if not facts.requested_by:
        because = "nobody is named as the requester"
        return _result(Group.BEFORE, "authorization", GateAnswer.FAILED, because)
    return _result(Group.BEFORE, "authorization", GateAnswer.PASSED, f"{who}{proof}; {rule}")


def _told(told: str) -> tuple[GateAnswer, str]:
    if told:
        return GateAnswer.PASSED, told
    return GateAnswer.NOT_APPLICABLE, "no channel to tell anybody is configured"


class DuringFacts(Value):
    """What the gates during a rollback are judged from, at its end."""

    lowest_ready: int | None
    floor: int
    steps_confirmed: int
    steps_planned: int
    halts: tuple[str, ...]
    commands: tuple[str, ...]


def during(facts: DuringFacts) -> tuple[GateResult, ...]:
    """The four gates during: what was watched, whether it halted, who intervened."""
    if facts.lowest_ready is None:
        health = GateAnswer.INCONCLUSIVE, "readiness was never read"
    else:
        kept = facts.lowest_ready >= facts.floor
        numbers = f"lowest ready {facts.lowest_ready}, floor {facts.floor}"
        health = (GateAnswer.PASSED if kept else GateAnswer.FAILED), numbers
    all_done = facts.steps_confirmed == facts.steps_planned
    progress = f"{facts.steps_confirmed} of {facts.steps_planned} steps confirmed"
    halting = f"halted: {'; '.join(facts.halts)}" if facts.halts else "armed; no step failed"
    override = f"used: {'; '.join(facts.commands)}" if facts.commands else "open; not used"
    return (
        _result(Group.DURING, "health_monitoring", *health),
        _result(
            Group.DURING,
            "progress_validation",
            GateAnswer.PASSED if all_done else GateAnswer.FAILED,
            progress,
        ),
        _result(Group.DURING, "automatic_halting", GateAnswer.PASSED, halting),
        _result(Group.DURING, "manual_override", GateAnswer.PASSED, override),
    )


def after(verdicts: tuple[Verdict, ...]) -> tuple[GateResult, ...]:
    """The five gates after, from the verdicts of the verification."""
    return (
        _from_verdicts("system_health", verdicts, ("instances",)),
        _from_verdicts("functional_tests", verdicts, ("journey",)),
        _from_verdicts(
            "performance_metrics", verdicts, ("error_ratio", "latency_p95", "throughput")
        ),
        _no_source("business_metrics", "no business metric is configured"),
        _no_source("data_integrity", "no data check is configured"),
    )


class CompletionFacts(Value):
    """What the completion criteria are judged from."""

    seconds: float
    time_limit_s: float
    rolled_back: tuple[str, ...]
    others: tuple[str, ...]
    own_errors: int | None
    report: str


def completion(facts: CompletionFacts) -> tuple[GateResult, ...]:
    """The seed's four criteria. More than 95 % never hides the rest: it is listed."""
    total = len(facts.rolled_back) + len(facts.others)
    ratio = len(facts.rolled_back) / total if total else 0.0
    in_time = facts.seconds <= facts.time_limit_s
    rest = f"; not: {', '.join(facts.others)}" if facts.others else ""
    share = f"{len(facts.rolled_back)} of {total} services{rest}"
    return (
        _result(
            Group.COMPLETION,
            "time_limit",
            GateAnswer.PASSED if in_time else GateAnswer.FAILED,
            f"{facts.seconds:.0f} s of {facts.time_limit_s:.0f} s",
        ),
        _result(
            Group.COMPLETION,
            "success_threshold",
            GateAnswer.PASSED if ratio > 0.95 else GateAnswer.FAILED,
            share,
        ),
        _result(Group.COMPLETION, "user_impact", *_impact_of_ours(facts.own_errors)),
        _result(Group.COMPLETION, "documentation", GateAnswer.PASSED, facts.report),
    )


def _impact_of_ours(own_errors: int | None) -> tuple[GateAnswer, str]:
    if own_errors is None:
        return GateAnswer.INCONCLUSIVE, "the front door was not read during the steps"
    answer = GateAnswer.PASSED if own_errors == 0 else GateAnswer.FAILED
    return answer, f"{own_errors} answers failed at the front door that no version gave"


def _from_verdicts(gate: str, verdicts: tuple[Verdict, ...], checks: tuple[str, ...]) -> GateResult:
    mine = [v for v in verdicts if v.check.split(":")[0] in checks]
    if not mine:
        return _no_source(gate, "no such check is configured")
    order = list(Answer)
    worst = max(mine, key=lambda verdict: order.index(verdict.answer))
    if worst.answer is Answer.PASSED:
        return _result(Group.AFTER, gate, GateAnswer.PASSED, "; ".join(v.because for v in mine))
    bad = worst.answer is Answer.FAILED
    answer = GateAnswer.FAILED if bad else GateAnswer.INCONCLUSIVE
    return _result(Group.AFTER, gate, answer, worst.because)


def _no_source(gate: str, because: str) -> GateResult:
    return _result(Group.AFTER, gate, GateAnswer.NOT_APPLICABLE, because)


def _result(group: Group, gate: str, answer: GateAnswer, because: str) -> GateResult:
    return GateResult(group=group, gate=gate, answer=answer, because=because)
