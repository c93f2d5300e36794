"""Each service of a rollback, looked at and planned by itself."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from activities.claims import Holders
from activities.freezes import Freezes
from activities.frozen import Store
from activities.look import READERS, Look, Looks
from activities.step import now
from activities.targets import Target, Targets
from activities.way_back import Point, way_back
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import RollbackRequest
from rollback_manager.errors import PermanentError, TemporaryError
from rollback_manager.plan import Capacity, Configured, Found, Removed, ServicePlan, Split
from rollback_manager.planning.facts import Past, PlanningFacts
from rollback_manager.planning.foreseen import found
from rollback_manager.planning.refusals import all_of, named
from rollback_manager.planning.service import plan_service
from rollback_manager.strategies import strategy_named

PLANNERS = ThreadPoolExecutor(max_workers=30, thread_name_prefix="plan")
"""Services that are looked at at once; each of them uses some of READERS."""

Looked = tuple[PlanningFacts, ServicePlan, Found]


class ServicePlans:
    """Gathers what the plan of a service rests on, and asks the domain for that plan."""

    def __init__(
        self, catalogue: Catalogue, records: Store, targets: Targets, holders: Holders
    ) -> None:
        self._catalogue = catalogue
        self._freezes = Freezes(catalogue, records)
        self._records = records
        self._targets = targets
        self._holders = holders

    def of(self, request: RollbackRequest) -> tuple[Looked, ...]:
        """The plan of each, sorted by name; what blocks one blocks all, and all are named."""
        services = named(request)
        if len(services) == 1:
            return (self._look(request, services[0]),)
        asked = {
            name: PLANNERS.submit(copy_context().run, self._look, request, name)
            for name in services
        }
        troubles: dict[str, PermanentError | TemporaryError] = {}
        for name, answer in asked.items():
            try:
                answer.result()
            except (PermanentError, TemporaryError) as error:
                troubles[name] = error
        if troubles:
            raise all_of(troubles)
        return tuple(answer.result() for answer in asked.values())

    def _look(self, request: RollbackRequest, service: str) -> Looked:
        facts, target = self._facts(request.env, service, request.adopts)
        plan = plan_service(facts, request.to_version)
        facts, plan = way_back(facts, plan, target, self._frozen(request.env, plan))
        analyses = target.analyses.told(plan.from_version) if target.analyses else ()
        return facts, plan, found(facts, _by_hand(plan, target), analyses)

    def _frozen(self, env: str, plan: ServicePlan) -> Point | None:
        """What was frozen of the target, where something was."""
        known = self._records.releases(env, plan.service)
        points = (one.restore_point for one in known if one.version == plan.to_version)
        digest = next((point.frozen for point in points if point), "")
        frozen = self._records.frozen(env, plan.service, digest) if digest else None
        return Point(digest, frozen) if frozen else None

    def _facts(self, env: str, service: str, adopts: str) -> tuple[PlanningFacts, Target]:
        policy = self._catalogue.policy(env, service)  # refuses unknown names
        adopted = self._holders.adopted(env, service, adopts)  # refuses what somebody holds
        strategy = adopted.purpose.strategy if adopted else ""
        target = self._targets(env, service)
        past = READERS.submit(self._records.past, env, service)
        releases = READERS.submit(self._records.releases, env, service)
        place = READERS.submit(target.place.name) if target.place else None
        frozen = READERS.submit(self._freezes.in_force, env, service)
        look: Look = Looks(target).take()
        facts = PlanningFacts(
            service=service,
            strategy=strategy_named(strategy or self._catalogue.services[service].strategy),
            policy=policy,
            releases=tuple(releases.result()),
            shares=look.shares.shares,
            running={version: look.running(version) for version in look.versions},
            ready={version: look.able(version) for version in look.versions},
            digests={version: state.digest for version, state in look.versions.items()},
            notes={version: state.note for version, state in look.versions.items() if state.note},
            snapshot=look.snapshot,
            past=tuple(Past.model_validate(one.model_dump()) for one in past.result()),
            now=now(),
            moves=look.shares.moves,
            current=look.found().current,
            adopted=adopted,
            place=place.result() if place else "",
            owners=target.owners.found() if target.owners else None,
            frozen=frozen.result(),
        )
        return facts, target


def _by_hand(plan: ServicePlan, target: Target) -> tuple[str, ...]:
    lines: list[str] = []
    for action in plan.actions:
        match action.wanted:
            case Capacity(version=version, instances=n) | Removed(version=version, instances=n):
                lines += target.workloads.by_hand(version, n)
            case Configured(objects=objects, digest=digest):
                lines.append(
                    f"# write back {', '.join(objects)}, as the records keep it under {digest}"
                )
            case Split(shares=shares):
                lines += target.traffic.by_hand(shares)
            case _:
                lines.append(f"# wait until: {action.check}")
    return tuple(lines)
