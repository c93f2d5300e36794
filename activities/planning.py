"""Answers with a plan, or with why there can be none."""

from temporalio import activity

from activities.claims import Holders
from activities.frozen import Store
from activities.service_plans import Looked, ServicePlans
from activities.starts import Starts
from activities.step import now
from activities.targets import Targets
from rollback_manager.audit import AuditLog
from rollback_manager.authority.quorum import Authority
from rollback_manager.catalogue import Catalogue, Environment
from rollback_manager.contract import Planned, RollbackRequest
from rollback_manager.errors import PermanentError, TemporaryError
from rollback_manager.fleet import together
from rollback_manager.fleet.together import Waves
from rollback_manager.fleet.tree import cut
from rollback_manager.fleet.waves import waves
from rollback_manager.glass import overdue
from rollback_manager.planning import refusals
from rollback_manager.planning.whole import assemble
from rollback_manager.tier import Tier
from rollback_manager.tiering import Rules, authority

TRIES = 3
"""How often a server that does not answer is asked before the plan says so."""


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
        self._records = records
        self._services = ServicePlans(catalogue, records, targets, holders)

    @activity.defn(no_thread_cancel_exception=True)
    def plan_rollback(self, request: RollbackRequest) -> Planned:
        """The plan, or why there can be none."""
        try:
            return self._plan(request)
        except PermanentError as refusal:
            return refusals.refused(refusal)
        except TemporaryError as failure:
            if activity.info().attempt < TRIES:
                raise
            return refusals.refused(failure)

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
            from_versions={one.service: one.from_version for one in plan.services},
        )

    def _plan(self, request: RollbackRequest) -> Planned:
        services = self._admitted(request)
        environment = self._catalogue.environments[request.env]
        order = waves(services, self._catalogue.links)
        if len(services) > environment.fleet.tree_above:
            return _in_parts(request, environment, order)
        return self._whole(request, environment, order)

    def _admitted(self, request: RollbackRequest) -> tuple[str, ...]:
        """The services, where this request may be asked at all."""
        services = refusals.named(request)
        for service in services:
            self._catalogue.placement(request.env, service)  # refuses unknown names
        self._starts.prove(request)
        if request.break_glass:
            broken = self._records.glasses(request.env)
            late = overdue(broken, request.requested_by, request.services, now())
            level = self._catalogue.environments[request.env].security
            refusals.must_be_explained(request, level, late)
        return services

    def _whole(self, request: RollbackRequest, environment: Environment, order: Waves) -> Planned:
        looks = self._services.of(request)
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
        refusals.must_be_expected(whole, request.expect_plan)
        refusals.must_not_fail(whole)
        refusals.must_be_confirmed(request, environment.security, whole.tier)
        refusals.must_fit(whole)
        return Planned(plan=whole, width=width)

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


def _in_parts(request: RollbackRequest, environment: Environment, order: Waves) -> Planned:
    refusals.must_be_by_hand(request)
    refusals.must_be_asked(request)
    refusals.must_be_confirmed(request, environment.security, Tier.T2)  # several services
    return Planned(parts=cut(order, environment.fleet.tree_above, request.key))
