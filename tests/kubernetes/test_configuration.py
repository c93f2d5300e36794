"""ConfigMaps and an HTTPRoute's rules return with the release, on the real API."""

import json
from functools import partial
from pathlib import Path

import pytest

from demo.kubernetes import crds
from demo.kubernetes.api import Object
from demo.kubernetes.kubelet import Kubelet
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import Blocked, StaleWrite
from rollback_manager.frozen import Frozen
from rollback_manager.operation import Mark
from rollback_manager.plan import Action, Configured, RollbackPlan
from rollback_manager.progress import StepState
from rollback_manager.rights import rights
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import (
    created,
    deployment,
    http_route,
    path_of,
    pod_template,
    rolled_out,
    service,
    until,
)
from tests.kubernetes.shop import Service, mark, placed
from tests.kubernetes.shop import service as opened

MERGE = "application/merge-patch+json"
OLD = {"LEVEL": "info", "MODE": "slow"}
NEW = {"LEVEL": "debug", "MODE": "fast", "EXTRA": "1"}


def template(version: str) -> Object:
    made = pod_template("shop", version)
    made["spec"]["containers"][0]["envFrom"] = [
        {"configMapRef": {"name": "shop-config"}},
        {"secretRef": {"name": "database"}},
    ]
    return made


def configure(cluster: Cluster, namespace: str, content: dict[str, str]) -> None:
    path = path_of("configmaps", namespace, "shop-config")
    gone: dict[str, str | None] = dict.fromkeys(OLD.keys() | NEW.keys())
    cluster.api.patch(path, {"data": {**gone, **content}}, MERGE)


def configured(cluster: Cluster, namespace: str) -> dict[str, str]:
    found = cluster.api.get(path_of("configmaps", namespace, "shop-config"))
    return dict(found.get("data") or {})


@pytest.fixture
def shop(cluster: Cluster, namespace: str, kubelet: Kubelet) -> str:
    """v1, rolled out with its configuration."""
    cluster.api.post(
        path_of("configmaps", namespace), {"metadata": {"name": "shop-config"}, "data": OLD}
    )
    cluster.api.post(
        path_of("secrets", namespace), {"metadata": {"name": "database"}, "stringData": {"p": "1"}}
    )
    created(cluster.api, namespace, deployment("shop", "v1", 2, template=template("v1")))
    created(cluster.api, namespace, service("shop"))
    until(lambda: cluster.api.get(path_of("deployments", namespace, "shop")), rolled_out)
    return namespace


def bad_release(cluster: Cluster, own: Service, namespace: str) -> None:
    """v1 is recorded; v2 goes out with a configuration of its own."""
    own.record("v1", from_cluster=True)
    configure(cluster, namespace, NEW)
    path = path_of("deployments", namespace, "shop")
    cluster.api.patch(path, {"spec": {"template": template("v2")}}, MERGE)
    until(lambda: cluster.api.get(path), rolled_out)


def restoring(made: RollbackPlan) -> tuple[Action, Configured]:
    (plan,) = made.services
    action = plan.phases[0].actions[0]
    assert isinstance(action.wanted, Configured), "the phase before all others"
    return action, action.wanted


def undone(action: Action) -> Configured:
    assert isinstance(action.undo, Configured)
    return action.undo


def test_a_config_map_returns_and_can_be_put_back(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        made = own.plan()
        action, wanted = restoring(made)
        assert "ConfigMap shop-config: 3 keys differ: EXTRA, LEVEL, MODE" in made.found[0].drift
        assert any("reads the old configuration" in risk.risk for risk in made.risks)
        assert "slow" not in made.model_dump_json(), "names of keys, never what they hold"

        record = own.carry_out(made, wanted)
        assert (record.state, configured(cluster, shop)) == (StepState.DONE, OLD)
        again = own.carry_out(made, wanted)
        assert (again.state, again.written) == (StepState.DONE, "")

        back = own.carry_out(made, undone(action), 1, leaves_mark=True)
        assert (back.state, configured(cluster, shop)) == (StepState.DONE, NEW)
        with pytest.raises(StaleWrite):
            own.carry_out(made, wanted)
    assert configured(cluster, shop) == NEW


def test_a_retry_goes_on_where_the_first_try_broke_off(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    """It kept what stood there and wrote; its answer was lost, and somebody wrote half of it."""
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        made = own.plan()
        _, wanted = restoring(made)
        assert own.target.configuration is not None
        before = own.target.configuration.read(wanted.objects)
        own.records.keep_frozen("test", "shop", before)
        assert own.carry_out(made, wanted).state is StepState.DONE
        kept = own.records.frozen("test", "shop", wanted.before)
    assert kept is not None
    assert kept.config_maps[0].content == NEW
    assert configured(cluster, shop) == OLD


def test_what_was_changed_since_the_plan_is_left_alone(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        made = own.plan()
        configure(cluster, shop, {"LEVEL": "by a third party"})
        with pytest.raises(Blocked, match="changed since this was planned"):
            own.carry_out(made, restoring(made)[1])
    assert configured(cluster, shop) == {"LEVEL": "by a third party"}


def test_a_write_between_look_and_write_is_seen(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        _, wanted = restoring(own.plan())
        role = own.target.configuration
        assert role is not None
        before = role.read(wanted.objects)
        goal = own.records.frozen("test", "shop", wanted.digest)
        assert goal is not None
        configure(cluster, shop, {"LEVEL": "by a third party"})
        with pytest.raises(Blocked, match="neither as recorded nor as it was"):
            role.write(goal.only(wanted.objects), before, mark(0))
    assert configured(cluster, shop) == {"LEVEL": "by a third party"}


def test_an_undo_of_what_never_began_writes_nothing_but_its_mark(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    """A write that was given up comes too late afterwards."""
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        made = own.plan()
        action, wanted = restoring(made)
        record = own.carry_out(made, undone(action), 1, leaves_mark=True)
        assert record.state is StepState.DONE
        found = cluster.api.get(path_of("configmaps", shop, "shop-config"))
        left = Mark.parse(found["metadata"]["annotations"]["rollback-manager.io/mark"])
        assert left == mark(1)
        with pytest.raises(StaleWrite):
            own.carry_out(made, wanted, 0)
    assert configured(cluster, shop) == NEW


def test_one_that_is_gone_is_made_anew(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        cluster.api.delete(path_of("configmaps", shop, "shop-config"))
        made = own.plan()
        assert "ConfigMap shop-config: gone" in made.found[0].drift
        action, wanted = restoring(made)
        assert own.carry_out(made, wanted).state is StepState.DONE
        assert configured(cluster, shop) == OLD
        back = own.carry_out(made, undone(action), 1, leaves_mark=True)
    assert back.state is StepState.DONE
    assert configured(cluster, shop) == OLD, "nothing is ever deleted"


def test_where_nothing_differs_there_is_no_such_phase(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        configure(cluster, shop, OLD)
        made = own.plan()
    assert not any(isinstance(one.wanted, Configured) for one in made.services[0].actions)
    assert made.found[0].drift == ()
    assert any("registry" in one for one in made.found[0].not_asked)


def test_a_secret_is_told_and_never_written(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    path = path_of("secrets", shop, "database")
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        cluster.api.patch(path, {"stringData": {"p": "2"}}, MERGE)
        written = cluster.api.get(path)["metadata"]["resourceVersion"]
        made = own.plan()
        own.carry_out(made, restoring(made)[1])
    assert "Secret database: written since, or made anew" in made.found[0].drift
    assert any("Secret database was written since" in one for one in made.services[0].not_undone)
    assert cluster.api.get(path)["metadata"]["resourceVersion"] == written


def test_counts_that_changed_are_shown(cluster: Cluster, shop: str, tmp_path: Path) -> None:
    scaler = {
        "metadata": {"name": "shop"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 3,
            "maxReplicas": 9,
        },
    }
    folder = path_of("horizontalpodautoscalers", shop)
    cluster.api.post(folder, scaler)
    deployed = path_of("deployments", shop, "shop")
    cluster.api.patch(deployed, {"spec": {"replicas": 3}}, MERGE)
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        cluster.api.patch(f"{folder}/shop", {"spec": {"minReplicas": 1}}, MERGE)
        cluster.api.patch(deployed, {"spec": {"replicas": 2}}, MERGE)
        drift = own.plan().found[0].drift
    assert "autoscaler shop: minimum 3 → 1" in drift
    assert "shop: replicas 3 → 2" in drift


@pytest.fixture
def routed(cluster: Cluster, namespace: str, kubelet: Kubelet) -> str:
    """v1 and v2 side by side, behind an HTTPRoute."""
    crds.install(cluster.api, crds.GATEWAY_API)
    for version in ("v1", "v2"):
        created(cluster.api, namespace, deployment(f"shop-{version}", version, 2, app="shop"))
        created(cluster.api, namespace, service(f"shop-{version}", version, app="shop"))
    created(cluster.api, namespace, http_route("shop", {"shop-v1": 100, "shop-v2": 0}))
    for version in ("v1", "v2"):
        path = path_of("deployments", namespace, f"shop-{version}")
        until(partial(cluster.api.get, path), rolled_out)
    return namespace


def test_rules_of_a_route_return_and_keep_their_weights(
    cluster: Cluster, routed: str, tmp_path: Path
) -> None:
    path = path_of("httproutes", routed, "shop")
    catalogue = placed(cluster, routed, "shop-v1", "shop-v2", route="shop")
    with opened(catalogue, tmp_path) as own:
        own.record("v1", from_cluster=True)
        before = cluster.api.get(path)["spec"]["rules"]
        added = {"matches": [{"path": {"type": "PathPrefix", "value": "/beta"}}]}
        rules = http_route("shop", {"shop-v1": 0, "shop-v2": 100})["spec"]["rules"]
        backends = rules[0]["backendRefs"]
        new = [*rules, {**added, "backendRefs": backends}]
        cluster.api.patch(path, {"spec": {"rules": new}}, MERGE)
        made = own.plan()
        assert "HTTPRoute shop: 1 rule added" in made.found[0].drift
        action, wanted = restoring(made)
        assert wanted.objects == ("HTTPRoute shop",)
        assert own.carry_out(made, wanted).state is StepState.DONE
        after = cluster.api.get(path)["spec"]["rules"]
        own.carry_out(made, undone(action), 1, leaves_mark=True)
        last = cluster.api.get(path)["spec"]["rules"]
    assert len(after) == len(before) == 1
    assert [one["weight"] for one in after[0]["backendRefs"]] == [0, 100], "not ours to change here"
    assert after[0]["matches"] == before[0]["matches"]
    assert [rule["matches"][0]["path"]["value"] for rule in last] == ["/", "/beta"]


def test_contents_in_the_records_are_found_by_their_digest(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    with opened(placed(cluster, shop, "shop"), tmp_path) as own:
        bad_release(cluster, own, shop)
        _, wanted = restoring(own.plan())
        kept = own.records.frozen("test", "shop", wanted.digest)
    assert isinstance(kept, Frozen)
    assert kept.digest == wanted.digest
    assert json.loads(kept.workloads[0].template)["metadata"]["labels"]["app"] == "shop"


def with_rights(cluster: Cluster, namespace: str, catalogue: Catalogue, path: Path) -> Path:
    """An account with exactly the Role that the catalogue asks for."""
    ((_, asked),) = rights(catalogue, "test").items()
    rules = [
        {"apiGroups": [one.group], "resources": [one.resource], "verbs": one.verbs}
        | ({"resourceNames": one.names} if one.names else {})
        for one in asked
    ]
    cluster.api.post(path_of("roles", namespace), {"metadata": {"name": "robot"}, "rules": rules})
    token = cluster.account_token(namespace, "robot")
    binding = {
        "metadata": {"name": "robot"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "robot"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": namespace}],
    }
    cluster.api.post(path_of("rolebindings", namespace), binding)
    return cluster.kubeconfig_with(token, path)


def test_it_returns_with_the_rights_that_the_catalogue_asks_for(
    cluster: Cluster, shop: str, tmp_path: Path
) -> None:
    catalogue = placed(cluster, shop, "shop", config_maps=("shop-config",))
    robot = with_rights(cluster, shop, catalogue, tmp_path / "robot")
    with opened(placed(cluster, shop, "shop", kubeconfig=robot), tmp_path) as own:
        point = own.record("v1").restore_point
        assert point is not None
        assert any(note.startswith("Secrets: not read") for note in point.notes)
        configure(cluster, shop, NEW)
        path = path_of("deployments", shop, "shop")
        cluster.api.patch(path, {"spec": {"template": template("v2")}}, MERGE)
        until(lambda: cluster.api.get(path), rolled_out)
        own.target = own.make()
        made = own.plan()
        unclear = {one.gate for one in made.gates if one.because.startswith("not asked")}
        assert own.carry_out(made, restoring(made)[1]).state is StepState.DONE
    assert configured(cluster, shop) == OLD
    assert unclear == {"namespace", "room", "disruption_budgets"}, "told, and no obstacle"
