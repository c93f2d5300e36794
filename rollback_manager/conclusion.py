"""How it ended, declared from what was found, not from what was meant."""

from rollback_manager import gates
from rollback_manager.contract import AbortCommand
from rollback_manager.gates import CompletionFacts, DuringFacts, GateResult
from rollback_manager.plan import ActionKind, RollbackPlan, ServicePlan
from rollback_manager.progress import (
    EndState,
    Found,
    Result,
    RollbackOutcome,
    ServiceOutcome,
    StepRecord,
    StepState,
    effect_of,
    end_state,
)


def service_outcome(
    plan: ServicePlan,
    *,
    found: Found | None,
    steps: tuple[StepRecord, ...],
    abort: AbortCommand | None,
    halts: tuple[str, ...],
    commands: tuple[str, ...],
    epoch: int,
) -> ServiceOutcome:
    """One service at rest. Samples are left out: history has them with the steps already."""
    wrote = any(record.written for record in steps)
    verified = any(r.kind is ActionKind.VERIFY and r.state is StepState.DONE for r in steps)
    end = EndState.UNKNOWN
    if found is not None:
        end = end_state(found, plan.to_version, plan.from_version, wrote)
    back = end is EndState.ROLLED_BACK
    return ServiceOutcome(
        service=plan.service,
        end=end,
        verified=verified and back,
        because=_because(abort, end, verified and back),
        aborted=abort is not None,
        found=found,
        steps=tuple(record.model_copy(update={"samples": ()}) for record in steps),
        halts=halts,
        commands=commands,
        epoch=epoch,
    )


def _because(abort: AbortCommand | None, end: EndState, verified: bool) -> str:
    if abort is not None:
        why = f": {abort.reason}" if abort.reason else ""
        return f"{abort.mode} by {abort.by}{why}"
    if verified:
        return "users were shown to be well"
    return "the steps ended without proof that users are well"


def rollback_outcome(
    rollback: str,
    plan: RollbackPlan,
    services: tuple[ServiceOutcome, ...],
    refused: Result | None,
    seconds: float,
) -> RollbackOutcome:
    """The whole rollback; `decisions` are the workflow's to add."""
    result = refused or _result(plan, services)
    return RollbackOutcome(
        rollback=rollback,
        result=result,
        because=_why(result, plan, services),
        effect=effect_of(services),
        next_step=_next(result, rollback),
        digest=plan.digest,
        services=services,
        gates=_gates(rollback, plan, services, refused, seconds),
        security=plan.security,
    )


def _result(plan: RollbackPlan, services: tuple[ServiceOutcome, ...]) -> Result:
    if any(service.aborted for service in services):
        return Result.ABORTED
    done = {s.service for s in services if s.end is EndState.ROLLED_BACK and s.verified}
    planned = {service.service for service in plan.services}
    return Result.VERIFIED if done == planned else Result.NOT_VERIFIED


def _why(result: Result, plan: RollbackPlan, services: tuple[ServiceOutcome, ...]) -> str:
    match result:
        case Result.REJECTED:
            return "the plan was not approved"
        case Result.EXPIRED:
            return f"nobody answered within {plan.approval.deadline_s:.0f} s; the policy says hold"
        case _:
            return "; ".join(f"{s.service} {s.end}: {s.because}" for s in services)


def _next(result: Result, rollback: str) -> str:
    if result in {Result.REJECTED, Result.EXPIRED}:
        return "Start again if the release is still bad: the lock is free."
    return f"Read it: rollback-manager report {rollback}"


def _gates(
    rollback: str,
    plan: RollbackPlan,
    services: tuple[ServiceOutcome, ...],
    refused: Result | None,
    seconds: float,
) -> tuple[GateResult, ...]:
    if refused is not None:
        return plan.gates
    steps = [record for service in services for record in service.steps]
    lowest = [record.lowest_ready for record in steps if record.lowest_ready is not None]
    own = [record.own_errors for record in steps if record.own_errors is not None]
    verdicts = next((r.verdicts for r in reversed(steps) if r.verdicts), ())
    facts = DuringFacts(
        lowest_ready=min(lowest, default=None),
        floor=max(service.floor for service in plan.services),
        steps_confirmed=sum(record.state is StepState.DONE for record in steps),
        steps_planned=sum(len(service.actions) for service in plan.services),
        halts=tuple(halt for service in services for halt in service.halts),
        commands=tuple(command for service in services for command in service.commands),
    )
    back = tuple(s.service for s in services if s.end is EndState.ROLLED_BACK)
    completed = CompletionFacts(
        seconds=seconds,
        time_limit_s=plan.time_limit_s,
        rolled_back=back,
        others=tuple(f"{s.service} {s.end}" for s in services if s.service not in back),
        own_errors=sum(own) if own else None,
        report=f"from history: rollback-manager report {rollback}",
    )
    return (
        *plan.gates,
        *gates.during(facts),
        *gates.after(verdicts),
        *gates.completion(completed),
    )
