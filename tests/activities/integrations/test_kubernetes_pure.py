"""What is judged from objects of Kubernetes without asking a cluster."""

from typing import Any

import pytest

from activities.integrations.kubernetes import room
from activities.integrations.kubernetes.references import references
from activities.integrations.kubernetes.route_rules import route, with_weights


def http_route(*rules: dict[str, int], **more: Any) -> dict[str, Any]:
    made = [
        {"backendRefs": [{"name": name, "port": 80, "weight": w} for name, w in rule.items()]}
        for rule in rules
    ]
    return {"metadata": {"name": "shop"}, "spec": {"rules": made, **more}}


def weights(rules: list[dict[str, Any]]) -> list[dict[str, int]]:
    return [{ref["name"]: ref["weight"] for ref in rule["backendRefs"]} for rule in rules]


WEIGHTS = {
    "as they are now": (
        [{"v1": 100, "v2": 0}],
        [{"v1": 20, "v2": 80}],
        [{"v1": 20, "v2": 80}],
    ),
    "a backend that is new gets nothing": (
        [{"v1": 100, "v2": 0}],
        [{"v2": 100}],
        [{"v1": 0, "v2": 100}],
    ),
    "a rule that is gone comes back split like the others": (
        [{"v1": 100, "v2": 0}, {"v1": 100, "v2": 0}],
        [{"v1": 5, "v2": 95}],
        [{"v1": 5, "v2": 95}, {"v1": 5, "v2": 95}],
    ),
    "a rule of somebody else's keeps what it had": (
        [{"v1": 100, "v2": 0}, {"a": 90, "b": 10}],
        [{"v1": 0, "v2": 100}],
        [{"v1": 0, "v2": 100}, {"a": 90, "b": 10}],
    ),
    "no rule is left without any weight": (
        [{"v1": 100}, {"v2": 100}],
        [{"v1": 100, "v2": 0}],
        [{"v1": 100}, {"v2": 100}],
    ),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_rules_return_with_the_weights_of_now(name: str) -> None:
    then, now, wanted = WEIGHTS[name]
    found = with_weights(route(http_route(*then)), http_route(*now)["spec"])
    assert weights(found) == wanted


def test_a_route_is_taken_apart_and_put_together_again() -> None:
    one = http_route({"v1": 30, "v2": 70}, hostnames=["shop.test"])
    kept = route(one)
    assert "weight" not in kept.spec
    assert with_weights(kept, one["spec"]) == one["spec"]["rules"]


def test_each_way_to_name_a_config_map_or_a_secret_is_known() -> None:
    def by(kind: str, name: str) -> dict[str, Any]:
        return {kind: {"name": name}}

    def container(mark: str) -> dict[str, Any]:
        env = [
            {"name": "A", "valueFrom": by("configMapKeyRef", f"{mark}1")},
            {"name": "B", "valueFrom": by("secretKeyRef", f"{mark}2")},
            {"name": "C", "value": "plain"},
        ]
        return {
            "name": mark,
            "env": env,
            "envFrom": [by("configMapRef", f"{mark}3"), by("secretRef", f"{mark}4")],
        }

    sources = [by("configMap", "p1"), by("secret", "p2"), {"serviceAccountToken": {"path": "t"}}]
    spec = {
        "containers": [container("c")],
        "initContainers": [container("i")],
        "imagePullSecrets": [{"name": "pull"}],
        "volumes": [
            {"name": "a", "configMap": {"name": "v1"}},
            {"name": "b", "secret": {"secretName": "v2"}},
            {"name": "c", "projected": {"sources": sources}},
            {"name": "d", "emptyDir": {}},
        ],
    }
    found = references({"spec": spec})
    assert found.config_maps == ("c1", "c3", "i1", "i3", "p1", "v1")
    assert found.secrets == ("c2", "c4", "i2", "i4", "p2", "pull", "v2")


def template(**resources: dict[str, str]) -> dict[str, Any]:
    container = {"name": "main", "resources": resources}
    return {"spec": {"containers": [container, {**container, "name": "side"}]}}


def quota(**hard: str) -> dict[str, Any]:
    named = {name.replace("_", "."): amount for name, amount in hard.items()}
    return {"metadata": {"name": "q"}, "spec": {"hard": named}, "status": {"used": {}}}


def test_what_a_pod_takes_of_a_quota_is_the_sum_of_its_containers() -> None:
    said = template(requests={"cpu": "250m", "memory": "64Mi"}, limits={"memory": "128Mi"})
    hard = quota(pods="5", requests_cpu="2", limits_memory="1Gi", services="3")
    found = {one.resource: (one.left, one.each) for one in room.quotas([hard], [], said)}
    assert found == {
        "pods": (5, 1),
        "requests.cpu": (2, 0.5),
        "limits.memory": (2**30, 2 * 128 * 2**20),
    }


def test_a_limit_counts_as_request_and_a_default_where_nothing_is_said() -> None:
    (one,) = room.quotas([quota(cpu="2")], [], template(limits={"cpu": "300m"}))
    assert one.each == pytest.approx(0.6)
    limits = [{"type": "Container", "defaultRequest": {"cpu": "100m"}}]
    ranges = [{"metadata": {"name": "r"}, "spec": {"limits": limits}}]
    (one,) = room.quotas([quota(cpu="2")], ranges, template())
    assert one.each == pytest.approx(0.2)
    (one,) = room.quotas([quota(cpu="2")], [], template())
    assert one.each is None


def test_a_quota_for_some_pods_only_is_left_out() -> None:
    scoped = quota(pods="0")
    scoped["spec"]["scopes"] = ["BestEffort"]
    assert room.quotas([scoped], [], template()) == ()


def test_what_a_limit_range_forbids_is_told() -> None:
    limits = [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "32Mi"}}]
    ranges = [{"metadata": {"name": "r"}, "spec": {"limits": limits}}]
    found = room.misfits(ranges, template(limits={"cpu": "2"}, requests={"memory": "16Mi"}))
    assert "LimitRange r: cpu of main is 2, at most 1 is allowed" in found
    assert "LimitRange r: memory of side is 16Mi, at least 32Mi is asked for" in found
