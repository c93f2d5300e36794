"""One service of the catalogue on the control plane of the tests, with records of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from temporalio.testing import ActivityEnvironment

from activities.asks import Asks
from activities.claims import Holders
from activities.configuration import ConfigurationActivities
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.planning import PlanningActivities
from activities.releases import ReleaseActivities
from activities.step import Step
from activities.targets import Target
from demo.kubernetes.api import Object
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import Planned, RecordRelease, ReleaseRequest, RollbackRequest
from rollback_manager.operation import Mark
from rollback_manager.plan import RollbackPlan, Wanted
from rollback_manager.progress import StepRecord
from rollback_manager.release import Release, Standing
from rollback_manager.rights import rights
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import path_of
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
        asks = Asks(self.catalogue, None)
        keep = ReleaseActivities(self.records, lambda _env, _service: self.target, asks)
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


def with_rights(cluster: Cluster, namespace: str, catalogue: Catalogue, path: Path) -> Path:
    """An account with exactly the Role that the catalogue asks for, and no more."""
    ((_, wanted),) = rights(catalogue, ENV).items()
    rules = [
        {"apiGroups": [one.group], "resources": [one.resource], "verbs": list(one.verbs)}
        | ({"resourceNames": list(one.names)} if one.names else {})
        for one in wanted
    ]
    return robot(cluster, namespace, rules, path)


def robot(cluster: Cluster, namespace: str, rules: list[Object], path: Path) -> Path:
    """An account with these rules in its namespace, and with the sight of the cluster's UID."""
    token = cluster.account_token(namespace, "robot")
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": namespace}
    _bound(cluster, namespace, "robot", rules, subject)
    system = {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"]}
    _bound(cluster, "kube-system", namespace, [system | {"verbs": ["get"]}], subject)
    return cluster.kubeconfig_with(token, path)


def _bound(
    cluster: Cluster, namespace: str, name: str, rules: list[Object], subject: Object
) -> None:
    cluster.api.post(path_of("roles", namespace), {"metadata": {"name": name}, "rules": rules})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [subject],
    }
    cluster.api.post(path_of("rolebindings", namespace), binding)


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
