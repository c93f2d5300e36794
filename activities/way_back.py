"""What else of a release returns with it, and whether its platform lets it; for a plan."""

from typing import NamedTuple

from activities.targets import Target
from rollback_manager.configuration import with_configuration
from rollback_manager.drift import Drift, drift
from rollback_manager.frozen import Frozen
from rollback_manager.plan import ServicePlan
from rollback_manager.planning import PlanningFacts


class Point(NamedTuple):
    """What was frozen of the release that a plan goes back to, under its digest."""

    digest: str
    frozen: Frozen


def way_back(
    facts: PlanningFacts, plan: ServicePlan, target: Target, point: Point | None
) -> tuple[PlanningFacts, ServicePlan]:
    """The facts with what changed since, and the plan with what must be written back."""
    if target.freezer is None or point is None:
        return facts, plan
    found = drift(point.frozen, target.freezer.again(point.frozen))
    if note := facts.notes.get(plan.to_version):
        found = found.model_copy(update={"told": (f"{plan.to_version}: {note}", *found.told)})
    plan = with_configuration(plan, found, point.digest, _before(target, found))
    return facts.model_copy(update={"drift": found}), plan


def _before(target: Target, found: Drift) -> str:
    """Digest of what stands there now of all that would be written."""
    if target.configuration is None or not found.restored:
        return ""
    return target.configuration.read(found.restored).digest
