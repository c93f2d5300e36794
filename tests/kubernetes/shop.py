"""One service of the catalogue on the control plane of the tests, with records of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from temporalio.testing import ActivityEnvironment

from activities.claims import Holders
from activities.configuration import ConfigurationActivities
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.planning import PlanningActivities
from activities.releases import ReleaseActivities
from activities.step import Step
from activities.targets import Target
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import Planned, RecordRelease, ReleaseRequest, RollbackRequest
from rollback_manager.operation import Mark
from rollback_manager.plan import RollbackPlan, Wanted
from rollback_manager.progress import StepRecord
from rollback_manager.release import Release, Standing
from tests.kubernetes.cluster import Cluster
from workers import targets as workers_targets

ENV, SERVICE = "test", "shop"


@dataclass
class Service:
    """What a worker has of it. Nothing is counted: the metrics are at an address that is closed."""

    catalogue: Catalogue
    records: SqlRecords
    make: Callable[[], Target]
    target: Target

    def record(self, version: str, *, from_cluster: bool = False, verified: bool = True) -> Release:
        """Record what runs as a release, as `releases record` does."""
        ask = RecordRelease(
            env=ENV, service=SERVICE, version=version, by="test", from_cluster=from_cluster
        )
        keep = ReleaseActivities(self.records, lambda _env, _service: self.target)
        keep.keep_releases(ReleaseRequest(ask=ask))
        if verified:
            self.records.mark_release(ENV, SERVICE, version, Standing.VERIFIED, "tested", None)
        self.target = self.make()  # as of a worker that asks the records after this
        found = self.records.releases(ENV, SERVICE)
        return next(one for one in found if one.version == version)

    def planned(self, **more: object) -> Planned:
        """The plan of the way back, or why there is none."""
        activities = PlanningActivities(
            self.catalogue,
            self.records,
            lambda _e, _s: self.target,
            Holders(self.records, NoRuns()),
        )
        words = {"env": ENV, "services": (SERVICE,), "key": "k", "requested_by": "test", **more}
        request = RollbackRequest.model_validate(words)
        return ActivityEnvironment().run(activities.plan_rollback, request)

    def plan(self) -> RollbackPlan:
        """The plan of the way back."""
        found = self.planned()
        assert found.plan is not None, found.blocked_because
        return found.plan

    def carry_out(
        self, made: RollbackPlan, wanted: Wanted, number: int = 0, **more: object
    ) -> StepRecord:
        """One step that writes configuration."""
        (service,) = made.services
        action = next(one for one in service.actions if one.kind == wanted.kind)
        step = Step.model_validate(
            {
                "env": ENV,
                "rollback": "rollback/test/k",
                "plan": service.model_copy(update={"phases": ()}),
                "action": action.model_copy(update={"wanted": wanted, "timeout_s": 5}),
                "mark": mark(number),
                **more,
            }
        )
        activities = ConfigurationActivities(self.records, lambda _env, _service: self.target)
        return ActivityEnvironment().run(activities.restore_configuration, step)


class NoRuns:
    """No workflow runs."""

    def started_by(self, workflow_id: str) -> str | None:
        """Nobody."""
        return None


def mark(step: int, epoch: int = 1) -> Mark:
    """A mark of one step."""
    return Mark(op_id=f"{step:016x}", epoch=epoch, step=step)


METRICS = {
    "kind": "prometheus",
    "url": "http://127.0.0.1:1",
    "requests": "requests_total",
    "errors": {"kind": "label", "label": "code", "matches": "5.."},
}
"""Nothing listens there: that is a reading with a reason."""


def placed(
    cluster: Cluster,
    namespace: str,
    *names: str,
    controller: str = "deployment",
    route: str = "",
    kubeconfig: Path | None = None,
    config_maps: tuple[str, ...] = (),
) -> Catalogue:
    """A catalogue with one service. route: of an HTTPRoute; without, a Service shop."""
    where = {"cluster": "main", "namespace": namespace}
    named = {"kind": "http_route", "route": route}
    workloads = {
        "kind": "kubernetes",
        "names": names,
        "controller": controller,
        "config_maps": config_maps,
    }
    traffic = named if route else {"kind": "kubernetes_service", "service": "shop"}
    place = {"workloads": where | workloads, "traffic": where | traffic, "metrics": METRICS}
    main = {"kubeconfig": str(kubeconfig or cluster.kubeconfig), "context": "local"}
    strategy = "rolling_update" if len(names) == 1 else "blue_green"
    return Catalogue.model_validate(
        {
            "version": 1,
            "clusters": {"main": main},
            "environments": {ENV: {}},
            "services": {SERVICE: {"strategy": strategy, "environments": {ENV: place}}},
        }
    )


@contextmanager
def service(catalogue: Catalogue, folder: Path) -> Iterator[Service]:
    """The service with records in that folder."""
    engine = engine_for(f"sqlite:///{folder}/records.sqlite")
    upgrade(engine)
    records = SqlRecords(engine)
    with httpx.Client(timeout=2, trust_env=False) as client:

        def make() -> Target:
            return workers_targets.targets(catalogue, client, records)(ENV, SERVICE)

        yield Service(catalogue, records, make, make())
    engine.dispose()
