"""Configuration that returns with a release: the phase before all others, and its undo. Pure."""

from rollback_manager.drift import Drift
from rollback_manager.plan import (
    Action,
    Configured,
    OwnersHeld,
    Phase,
    Risk,
    ServicePlan,
)

RISK = Risk(
    risk="the bad version reads the old configuration until it is gone",
    mitigation="it is written back right before the old version; --restore puts the new one back",
)


def with_configuration(plan: ServicePlan, found: Drift, point: str, before: str) -> ServicePlan:
    """The plan with a phase that writes back what differs; the same plan where nothing does.

    Only whoever would take it back at once is held before that.
    point, before: digests of what is to be, and of what stands there now.
    """
    stays = tuple(dict.fromkeys((*plan.not_undone, *found.stays)))
    if not found.restored:
        return plan.model_copy(update={"not_undone": stays})
    phase = Phase(name="restore the configuration", actions=(_restore(plan, found, point, before),))
    if plan.alternatives:
        others = ", ".join(one.version for one in plan.alternatives)
        stays = (*stays, f"going on to {others} would leave the configuration of {plan.to_version}")
    phases = (*_held(plan), phase, *plan.phases[len(_held(plan)) :])
    return plan.model_copy(update={"phases": phases, "not_undone": stays})


def _held(plan: ServicePlan) -> tuple[Phase, ...]:
    """The phase that holds who would take a write back: it comes before the first write."""
    first = plan.phases[0].actions[0].wanted if plan.phases else None
    return plan.phases[:1] if isinstance(first, OwnersHeld) else ()


def is_restored(plan: ServicePlan) -> bool:
    """Whether the plan writes configuration back."""
    return any(isinstance(action.wanted, Configured) for action in plan.actions)


def _restore(plan: ServicePlan, found: Drift, point: str, before: str) -> Action:
    wanted = Configured(
        version=plan.to_version, digest=point, before=before, objects=found.restored
    )
    return Action(
        wanted=wanted,
        timeout_s=plan.policy.timeouts.redirect_traffic_s,
        check=f"{', '.join(found.restored)} as recorded with {plan.to_version}",
        undo=wanted.model_copy(
            update={"version": plan.from_version, "digest": before, "before": point}
        ),
    )
