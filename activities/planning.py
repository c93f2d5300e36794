"""Gathers what a plan rests on, and asks the domain for the plan."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from temporalio import activity

from activities.claims import Holders
from activities.freezes import Freezes
from activities.frozen import Store
from activities.look import READERS, Look, Looks
from activities.starts import Starts
from activities.step import now
from activities.targets import Target, Targets
from activities.way_back import Point, way_back
from rollback_manager.audit import AuditLog
from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.may import Facts, unbroken, unconfirmed
from rollback_manager.authority.quorum import Authority
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import Planned, RollbackRequest, checked
from rollback_manager.errors import Blocked, PermanentError, StalePlan, TemporaryError
from rollback_manager.fleet import together
from rollback_manager.fleet.budget import MANUAL
from rollback_manager.fleet.tree import cut
from rollback_manager.fleet.waves import waves
from rollback_manager.gates import GateAnswer
from rollback_manager.glass import overdue
from rollback_manager.plan import (
    Capacity,
    Configured,
    Found,
    Removed,
    RollbackPlan,
    ServicePlan,
    Split,
    quotes,
    short,
)
from rollback_manager.planning.facts import Past, PlanningFacts
from rollback_manager.planning.foreseen import found
from rollback_manager.planning.service import plan_service
from rollback_manager.planning.whole import assemble
from rollback_manager.strategies import strategy_named
from rollback_manager.tier import Tier
from rollback_manager.tiering import Rules, authority

TRIES = 3
"""How often a server that does not answer is asked before the plan says so."""

PLANNERS = ThreadPoolExecutor(max_workers=30, thread_name_prefix="plan")
"""Services that are looked at at once; each of them uses some of READERS."""

MOST_BYTES = 900 * 1024
"""Of a plan: it comes back with every service's outcome in one message of Temporal (2 MB)."""

Looked = tuple[PlanningFacts, ServicePlan, Found]


class PlanningActivities:
    """Activities that answer with a plan; they write nothing but who may begin one."""

    def __init__(
        self,
        catalogue: Catalogue,
        records: Store,
        targets: Targets,
        holders: Holders,
        audit: AuditLog | None = None,
    ) -> None:
        self._starts = Starts(catalogue, audit)
        self._catalogue = catalogue
        self._freezes = Freezes(catalogue, records)
        self._records = records
        self._targets = targets
        self._holders = holders

    @activity.defn(no_thread_cancel_exception=True)
    def plan_rollback(self, request: RollbackRequest) -> Planned:
        """The plan, or why there can be none."""
        try:
            return self._plan(request)
        except PermanentError as refusal:
            return _refused(refusal)
        except TemporaryError as failure:
            if activity.info().attempt < TRIES:
                raise
            return _refused(failure)

    @activity.defn(no_thread_cancel_exception=True)
    def seal_part(self, request: RollbackRequest) -> Planned:
        """The digest of a part's plan, and what its approval asks; the plan stays with the part."""
        planned = self.plan_rollback(request)
        if planned.plan is None:
            return planned
        plan = planned.plan
        return Planned(
            digest=plan.digest,
            approval=plan.approval,
            tier=plan.tier,
            quorum=plan.quorum,
            keys=plan.keys,
        )

    def _plan(self, request: RollbackRequest) -> Planned:
        services = _named(request)
        for service in services:
            self._catalogue.placement(request.env, service)  # refuses unknown names
        self._starts.prove(request)
        environment = self._catalogue.environments[request.env]
        order = waves(services, self._catalogue.links)
        self._must_be_explained(request, environment.security)
        if len(services) > environment.fleet.tree_above:
            _must_be_by_hand(request)
            _must_be_asked(request)
            _must_be_confirmed(request, environment.security, Tier.T2)  # several services
            return Planned(parts=cut(order, environment.fleet.tree_above, request.key))
        looks = self._looks(request, services)
        width = environment.fleet.width
        whole = assemble(
            request,
            str(environment.security),
            looks,
            looks[0][0].now,
            waves=order,
            width=width,
            authority=self._authority(request, looks),
            channels=tuple(one.name for one in environment.notifications),
        )
        _must_be_expected(whole, request.expect_plan)
        _must_not_fail(whole)
        _must_be_confirmed(request, environment.security, whole.tier)
        _must_fit(whole)
        return Planned(plan=whole, width=width)

    def _must_be_explained(self, request: RollbackRequest, level: SecurityLevel) -> None:
        """What stands for everybody's approval where the glass is broken (security.md §7)."""
        if not request.break_glass:
            return
        late = overdue(
            self._records.glasses(request.env), request.requested_by, request.services, now()
        )
        known = request.model_dump(include={"services", "incident", "reason"})
        typed = request.confirmed or ""
        facts = Facts(level=level, confirmed=typed, overdue=late.rollback if late else "", **known)
        if because := unbroken(facts):
            raise Blocked(
                "the glass is not broken",
                effect="Production is unchanged.",
                next_step=because[0].upper() + because[1:],
            )

    def _authority(self, request: RollbackRequest, looks: tuple[Looked, ...]) -> Authority:
        """What the catalogue asks of those who decide about just these services."""
        parts = {plan.service: (facts, plan) for facts, plan, _ in looks}
        environment = self._catalogue.environments[request.env]
        services = {name: self._catalogue.services[name] for name in parts}
        rules = Rules(
            level=environment.security,
            roles=environment.roles,
            approvers=environment.approvers,
            keys=environment.signing_keys,
            owners={name: one.owners for name, one in services.items()},
            pair_tested={name: one.pair_tested for name, one in services.items()},
            tier_up=environment.decisions.tier_up_without_evidence,
            cool_down_s=environment.decisions.cool_down_s,
        )
        policy = together.approval([facts.policy for facts, _, _ in looks])
        return authority(request, parts, policy, rules)

    def _looks(self, request: RollbackRequest, services: tuple[str, ...]) -> tuple[Looked, ...]:
        """All services, each planned by itself; what blocks one blocks all, and all are named."""
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
            raise _all_of(troubles)
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
        own = self._catalogue.services[service].strategy
        strategy = (adopted.purpose.strategy if adopted else "") or own
        target = self._targets(env, service)
        past = READERS.submit(self._records.past, env, service)
        releases = READERS.submit(self._records.releases, env, service)
        place = READERS.submit(target.place.name) if target.place else None
        frozen = READERS.submit(self._freezes.in_force, env, service)
        look: Look = Looks(target).take()
        facts = PlanningFacts(
            service=service,
            strategy=strategy_named(strategy),
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


def _named(request: RollbackRequest) -> tuple[str, ...]:
    """The services, sorted; each name can be one, and is there once."""
    checked("environment", request.env)
    services = tuple(sorted(checked("service", name) for name in request.services))
    twice = sorted({name for name in services if services.count(name) > 1})
    if services and not twice:
        return services
    raise Blocked(
        f"{', '.join(twice)}: named twice" if twice else "no service is named",
        effect="Production is unchanged.",
        next_step="Name each service once: rollback-manager plan SERVICE … --env ENV",
    )


def _must_be_by_hand(request: RollbackRequest) -> None:
    """The budget knows single causes; so many services at once are a person's decision."""
    if request.trigger == MANUAL:
        return
    raise Blocked(
        f"{len(request.services)} services at once are started by a person alone,"
        f" not by {request.trigger}",
        effect="Production is unchanged.",
        next_step="If it must be: rollback-manager start SERVICE … --trigger manual",
    )


def _all_of(
    troubles: dict[str, PermanentError | TemporaryError],
) -> PermanentError | TemporaryError:
    """One refusal that names every service; for now, if every one is for now."""
    what = "; ".join(f"{service}: {error.what}" for service, error in troubles.items())
    effect = "Production is unchanged."
    advice = list(dict.fromkeys(error.next_step for error in troubles.values() if error.next_step))
    if all(isinstance(error, TemporaryError) for error in troubles.values()):
        return TemporaryError(what, effect=effect, next_step=" ".join(advice))
    return Blocked(what, effect=effect, next_step=" ".join(advice))


def _must_fit(plan: RollbackPlan) -> None:
    size = len(plan.model_dump_json())
    if size > MOST_BYTES:
        raise Blocked(
            f"the plan of these {len(plan.services)} services is {size // 1024} KiB;"
            f" at most {MOST_BYTES // 1024} KiB fit one rollback with its end",
            effect="Production is unchanged.",
            next_step="Start several rollbacks, one after the other, each of fewer services.",
        )


def _must_be_expected(plan: RollbackPlan, expected: str | None) -> None:
    if expected is None or quotes(expected, plan.digest):
        return
    raise StalePlan(
        f"the plan is {short(plan.digest)} now, not {short(expected)}",
        effect="Production is unchanged: nothing is recomputed behind your back.",
        next_step="Look again: rollback-manager plan SERVICE --env ENV",
    )


def _must_be_asked(request: RollbackRequest) -> None:
    """A review is of one plan; so many services at once are worth a question."""
    if request.break_glass:
        raise Blocked(
            f"the glass is not broken for {len(request.services)} services at once",
            effect="Production is unchanged.",
            next_step="Name fewer of them, those that hurt; or start without --break-glass.",
        )


def _must_be_confirmed(request: RollbackRequest, level: SecurityLevel, tier: Tier | None) -> None:
    """Where there is no second person, the first one types the service out (security.md §2)."""
    if request.confirmed is None or level is not SecurityLevel.LOCAL or tier is None:
        return
    if request.break_glass:
        return  # typed out and explained already
    known = request.model_dump(include={"services", "confirmed", "incident", "reason"})
    if because := unconfirmed(tier, Facts(level=level, **known)):
        raise Blocked(
            f"it is {tier} and level local has no second person who would look at it",
            effect="Production is unchanged.",
            next_step=because[0].upper() + because[1:],
        )


def _must_not_fail(plan: RollbackPlan) -> None:
    failed = [gate for gate in plan.gates if gate.answer is GateAnswer.FAILED]
    if failed:
        raise Blocked(
            "; ".join(f"gate {gate.gate} failed: {gate.because}" for gate in failed),
            effect="Production is unchanged.",
            next_step="Mend what the gate names, then start again.",
        )


def _by_hand(plan: ServicePlan, target: Target) -> tuple[str, ...]:
    lines: list[str] = []
    for action in plan.actions:
        match action.wanted:
            case Capacity(version=version, instances=n) | Removed(version=version, instances=n):
                lines += target.workloads.by_hand(version, n)
            case Configured(objects=objects, digest=digest):
                named = ", ".join(objects)
                lines.append(f"# write back {named}, as the records keep it under {digest}")
            case Split(shares=shares):
                lines += target.traffic.by_hand(shares)
            case _:
                lines.append(f"# wait until: {action.check}")
    return tuple(lines)


def _refused(error: PermanentError | TemporaryError) -> Planned:
    return Planned(
        blocked_because=error.what,
        effect=error.effect or "Production is unchanged.",
        next_step=error.next_step,
        error=type(error).__name__,
    )
