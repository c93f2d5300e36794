"""What else of a release returns with it, and whether its platform lets it; for a plan."""

from typing import NamedTuple

from activities.targets import Target
from rollback_manager.configuration import with_configuration
from rollback_manager.drift import Drift, drift
from rollback_manager.frozen import Frozen
from rollback_manager.gates import GateResult
from rollback_manager.plan import ServicePlan
from rollback_manager.planning.facts import PlanningFacts
from rollback_manager.preconditions import preconditions


class Point(NamedTuple):
    """What was frozen of the release that a plan goes back to, under its digest."""

    digest: str
    frozen: Frozen


def way_back(
    facts: PlanningFacts, plan: ServicePlan, target: Target, point: Point | None
) -> tuple[PlanningFacts, ServicePlan]:
    """The facts with what changed since, and the plan with what must be written back."""
    found: Drift | None = None
    if target.freezer is not None and point is not None:
        found = drift(point.frozen, target.freezer.again(point.frozen))
        if note := facts.notes.get(plan.to_version):
            found = found.model_copy(update={"told": (f"{plan.to_version}: {note}", *found.told)})
        plan = with_configuration(plan, found, point.digest, _before(target, found))
    update = {"drift": found, "preconditions": _gates(plan, target, found, point)}
    return facts.model_copy(update=update), plan


def _gates(
    plan: ServicePlan, target: Target, found: Drift | None, point: Point | None
) -> tuple[GateResult, ...]:
    if target.preconditions is None:
        return ()
    seen = target.preconditions.seen(plan, point.frozen if point else None)
    return preconditions(seen, plan, found.locked if found else ())


def _before(target: Target, found: Drift) -> str:
    """Digest of what stands there now of all that would be written."""
    if target.configuration is None or not found.restored:
        return ""
    return target.configuration.read(found.restored).digest
