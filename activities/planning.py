"""Gathers what a plan rests on, and asks the domain for the plan."""

from temporalio import activity

from activities.look import READERS, Look, Looks
from activities.records import Records
from activities.step import now
from activities.targets import Target, Targets
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import Planned, RollbackRequest, checked
from rollback_manager.errors import Blocked, PermanentError, StalePlan, TemporaryError
from rollback_manager.gates import GateAnswer
from rollback_manager.plan import (
    Capacity,
    Removed,
    RollbackPlan,
    ServicePlan,
    Split,
    short,
)
from rollback_manager.planning import Past, PlanningFacts, assemble, found, plan_service
from rollback_manager.strategies import strategy_named

TRIES = 3
"""How often a server that does not answer is asked before the plan says so."""


class PlanningActivities:
    """Activities that answer with a plan; they write nothing."""

    def __init__(self, catalogue: Catalogue, records: Records, targets: Targets) -> None:
        self._catalogue = catalogue
        self._records = records
        self._targets = targets

    @activity.defn
    def plan_rollback(self, request: RollbackRequest) -> Planned:
        """The plan, or why there can be none."""
        try:
            return Planned(plan=self._plan(request))
        except PermanentError as refusal:
            return _refused(refusal)
        except TemporaryError as failure:
            if activity.info().attempt < TRIES:
                raise
            return _refused(failure)

    def _plan(self, request: RollbackRequest) -> RollbackPlan:
        service = _only(request)
        facts, target = self._facts(request.env, service)
        plan = plan_service(facts, request.to_version)
        seen = found(facts, _by_hand(plan, target))
        security = self._catalogue.environments[request.env].security
        whole = assemble(request, str(security), ((facts, plan, seen),), facts.now)
        _must_be_expected(whole, request.expect_plan)
        _must_not_fail(whole)
        return whole

    def _facts(self, env: str, service: str) -> tuple[PlanningFacts, Target]:
        policy = self._catalogue.policy(env, service)  # refuses unknown names
        strategy = self._catalogue.services[service].strategy
        target = self._targets(env, service)
        past = READERS.submit(self._records.past, env, service)
        releases = READERS.submit(self._records.releases, env, service)
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
            snapshot=look.snapshot,
            past=tuple(Past.model_validate(one.model_dump()) for one in past.result()),
            now=now(),
        )
        return facts, target


def _only(request: RollbackRequest) -> str:
    checked("environment", request.env)
    match request.services:
        case (service,):
            return checked("service", service)
        case ():
            what = "no service is named"
        case _:
            what = "several services in one rollback are not supported yet"
    raise Blocked(
        what,
        effect="Production is unchanged.",
        next_step="Name one service: rollback-manager plan SERVICE --env ENV",
    )


def _must_be_expected(plan: RollbackPlan, expected: str | None) -> None:
    if expected is None or (len(expected) >= 12 and plan.digest.startswith(expected)):
        return
    raise StalePlan(
        f"the plan is {short(plan.digest)} now, not {short(expected)}",
        effect="Production is unchanged: nothing is recomputed behind your back.",
        next_step="Look again: rollback-manager plan SERVICE --env ENV",
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
