"""What is to be looked after once a service's rollback has ended. Pure."""

from datetime import datetime

from rollback_manager.owners import Owner
from rollback_manager.plan import ActionKind, OwnersHeld, RollbackPlan, ServicePlan
from rollback_manager.progress import EndState, ServiceOutcome, StepState
from rollback_manager.stays import Staying


def staying(
    plan: RollbackPlan, outcome: ServiceOutcome, rollback: str, now: datetime
) -> Staying | None:
    """None where nothing went back and nobody is held, or where nobody else could undo it."""
    service = next(one for one in plan.services if one.service == outcome.service)
    owners, back = held(service, outcome), outcome.end is EndState.ROLLED_BACK
    if not service.stays or outcome.epoch is None or not (back or owners):
        return None
    version = outcome.version or service.to_version
    others = {one.version: one.digest for one in service.alternatives}
    return Staying(
        env=plan.env,
        service=service.service,
        rollback=rollback,
        version=version,
        digest=others.get(version, service.to_digest),
        bad=service.from_version,
        floor=service.floor,
        epoch=outcome.epoch,
        since=now,
        checks_s=tuple(sorted(service.policy.stay_checks_s)) if back else (),
        hold_s=service.policy.hold_s,
        release_on_expiry=service.policy.release_on_expiry,
        owners=owners,
        minimum=service.desired,
        plan=plan.digest,
        place=service.place,
        keys=plan.keys,
    )


def held(plan: ServicePlan, outcome: ServiceOutcome) -> tuple[Owner, ...]:
    """Whom the service's steps left held: a hold may have landed though its answer did not."""
    holds = [one for one in plan.actions if isinstance(one.wanted, OwnersHeld)]
    wanted = [one.wanted.owners for one in holds if isinstance(one.wanted, OwnersHeld)]
    undone = [one.undo.owners for one in holds if isinstance(one.undo, OwnersHeld)]
    steps = [one for one in outcome.steps if one.kind is ActionKind.HOLD_OWNER]
    if not wanted or not steps:
        return ()
    given_back = steps[-1].undoes and steps[-1].state is StepState.DONE
    back = undone[0] if given_back and undone else ()
    return tuple(one for one in wanted[0] if one not in back)
