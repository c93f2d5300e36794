"""How it ended, declared from what was found, not from what was meant."""

from collections.abc import Iterator

from rollback_manager import gates
from rollback_manager.contract import AbortCommand
from rollback_manager.fleet import together
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
from rollback_manager.staying import held
from rollback_manager.verification import Verdict


def service_outcome(
    plan: ServicePlan,
    *,
    found: Found | None,
    steps: tuple[StepRecord, ...],
    abort: AbortCommand | None,
    halts: tuple[str, ...],
    commands: tuple[str, ...],
    epoch: int,
    version: str = "",
) -> ServiceOutcome:
    """One service at rest. Samples are left out: history has them with the steps already.

    version: where it went back to in the end; the plan's own target where that is not said.
    """
    version = version or plan.to_version
    wrote = any(record.written for record in steps)
    verified = any(r.kind is ActionKind.VERIFY and r.state is StepState.DONE for r in steps)
    end = EndState.UNKNOWN
    if found is not None:
        end = end_state(found, version, plan.from_version, wrote)
    back = end is EndState.ROLLED_BACK
    outcome = ServiceOutcome(
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
        adopted=plan.adopts,
        version=version,
    )
    return outcome if back else _with_who_is_held(plan, outcome)


def _with_who_is_held(plan: ServicePlan, outcome: ServiceOutcome) -> ServiceOutcome:
    """Production may be as before, and those who deploy to it are not."""
    names = ", ".join(one.name for one in held(plan, outcome))
    if not names:
        return outcome
    return outcome.model_copy(update={"because": f"{outcome.because}; held still: {names}"})


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
    *,
    halts: tuple[str, ...] = (),
    commands: tuple[str, ...] = (),
) -> RollbackOutcome:
    """The whole rollback; `decisions` are the workflow's to add.

    halts, commands: what happened between services; each has its own besides.
    """
    result = refused or _result(plan, services)
    return RollbackOutcome(
        rollback=rollback,
        result=result,
        because=_why(result, plan, services),
        effect=effect_of(services),
        next_step=_next(result, rollback),
        digest=plan.digest,
        services=services,
        gates=_gates(rollback, plan, services, refused, seconds, (halts, commands)),
        security=plan.security,
    )


def _result(plan: RollbackPlan, services: tuple[ServiceOutcome, ...]) -> Result:
    if any(service.aborted for service in services):
        return Result.ABORTED
    done = {s.service for s in services if s.is_well}
    planned = {service.service for service in plan.services}
    return Result.VERIFIED if done == planned else Result.NOT_VERIFIED


def _why(result: Result, plan: RollbackPlan, services: tuple[ServiceOutcome, ...]) -> str:
    match result:
        case Result.REJECTED:
            return "the plan was not approved"
        case Result.EXPIRED:
            return f"nobody answered within {plan.approval.deadline_s:.0f} s; the policy says hold"
        case _:
            return "; ".join(_alike(services))


def _alike(services: tuple[ServiceOutcome, ...]) -> Iterator[str]:
    """Services that ended alike and for the same reason, in one breath; none is left out."""
    whose: dict[tuple[EndState, str], list[str]] = {}
    for one in services:
        whose.setdefault((one.end, one.because), []).append(one.service)
    for (end, because), names in whose.items():
        yield f"{', '.join(names)} {end}: {because}"


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
    between: tuple[tuple[str, ...], tuple[str, ...]],
) -> tuple[GateResult, ...]:
    if refused is not None:
        return plan.gates
    steps = [record for service in services for record in service.steps]
    own = [record.own_errors for record in steps if record.own_errors is not None]
    verdicts = together.verdicts({s.service: _last_verdicts(s) for s in services})
    lowest, floor = _closest(plan, services)
    facts = DuringFacts(
        lowest_ready=lowest,
        floor=floor,
        steps_confirmed=sum(record.state is StepState.DONE for record in steps),
        steps_planned=sum(len(service.actions) for service in plan.services),
        halts=(*(halt for service in services for halt in service.halts), *between[0]),
        commands=(*(command for service in services for command in service.commands), *between[1]),
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


def _last_verdicts(service: ServiceOutcome) -> tuple[Verdict, ...]:
    return next((r.verdicts for r in reversed(service.steps) if r.verdicts), ())


def _closest(plan: RollbackPlan, services: tuple[ServiceOutcome, ...]) -> tuple[int | None, int]:
    """Fewest ready instances and the floor, of the service that came closest to its own."""
    floors = {service.service: service.floor for service in plan.services}
    seen = [
        (record.lowest_ready, floors[service.service])
        for service in services
        for record in service.steps
        if record.lowest_ready is not None
    ]
    return min(seen, key=lambda one: one[0] - one[1], default=(None, max(floors.values())))
