"""What became of the world since a release was recorded, in sentences."""

import json
from typing import Any

import pytest

from rollback_manager.drift import NOT_ASKED, differing, drift
from rollback_manager.errors import Blocked
from rollback_manager.frozen import (
    MOST_BYTES,
    ConfigMap,
    Frozen,
    Route,
    Scaler,
    SecretReference,
    Workload,
    fitted,
)


def config(name: str = "shop", *, immutable: bool = False, **content: str) -> ConfigMap:
    return ConfigMap.of(name, content, {}, immutable=immutable)


def route(*paths: str, **more: Any) -> Route:
    rules = [{"matches": [{"path": path}]} for path in paths]
    return Route(name="shop", spec=json.dumps({"rules": rules, **more}))


def workload(replicas: int = 4, **more: Any) -> Workload:
    return Workload(name="shop", template="{}", hash="5f", replicas=replicas, **more)


def scaler(low: int, high: int = 9) -> tuple[Scaler, ...]:
    return (Scaler(name="shop", of="shop", minimum=low, maximum=high),)


def point(**more: Any) -> Frozen:
    return Frozen(version="v1", **more)


CASES: dict[str, tuple[Frozen, Frozen, str]] = {
    "keys": (
        point(config_maps=(config(A="1", B="2", C="3"),)),
        point(config_maps=(config(A="9", C="3", D="4"),)),
        "ConfigMap shop: 3 keys differ: A, B, D",
    ),
    "one key": (
        point(config_maps=(config(A="1"),)),
        point(config_maps=(config(A="2"),)),
        "ConfigMap shop: 1 key differs: A",
    ),
    "gone": (
        point(config_maps=(config(A="1"),)),
        point(missing=("shop",)),
        "ConfigMap shop: gone",
    ),
    "made": (
        point(missing=("shop",)),
        point(config_maps=(config(),)),
        "ConfigMap shop: made since",
    ),
    "replicas": (
        point(workloads=(workload(4),)),
        point(workloads=(workload(2),)),
        "shop: replicas 4 → 2",
    ),
    "minimum": (
        point(scalers=scaler(3)),
        point(scalers=scaler(1)),
        "autoscaler shop: minimum 3 → 1",
    ),
    "maximum": (
        point(scalers=scaler(3)),
        point(scalers=scaler(3, 5)),
        "autoscaler shop: maximum 9 → 5",
    ),
    "no autoscaler": (point(scalers=scaler(3)), point(), "autoscaler shop: gone"),
    "rule added": (
        point(route=route("/")),
        point(route=route("/", "/b")),
        "HTTPRoute shop: 1 rule added",
    ),
    "rule changed": (
        point(route=route("/", "/a")),
        point(route=route("/", "/b")),
        "HTTPRoute shop: 1 rule changed",
    ),
    "order": (
        point(route=route("/", "/a")),
        point(route=route("/a", "/")),
        "HTTPRoute shop: its rules are in another order",
    ),
    "hostnames": (
        point(route=route("/")),
        point(route=route("/", hostnames=["x"])),
        "HTTPRoute shop: hostnames differ",
    ),
    "secret": (
        point(secrets=(SecretReference(name="db", written="u/1"),)),
        point(secrets=(SecretReference(name="db", written="u/2"),)),
        "Secret db: written since, or made anew",
    ),
    "custom resource": (
        point(crds={"widgets.example.com": "v1"}),
        point(crds={"widgets.example.com": "v2"}),
        "CRD widgets.example.com: storage version v1 → v2",
    ),
    "revision": (
        point(revision="Argo CD Application a at 1"),
        point(revision="Argo CD Application a at 2"),
        "Argo CD Application a at 1, now: Argo CD Application a at 2",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_change_is_one_sentence(name: str) -> None:
    then, now, sentence = CASES[name]
    assert drift(then, now).told == (sentence,)
    assert drift(then, then).told == ()


def test_what_stands_under_a_key_is_never_told() -> None:
    found = drift(
        point(config_maps=(config(A="hunter2"),)), point(config_maps=(config(A="hunter3"),))
    )
    assert "hunter" not in found.model_dump_json()


def test_weights_of_a_route_are_no_drift() -> None:
    one = Route(name="shop", spec='{"rules": []}', weights={"0/0": 100})
    other = one.model_copy(update={"weights": {"0/0": 0}})
    assert drift(point(route=one), point(route=other)).told == ()
    assert point(route=one).digest == point(route=other).digest


def test_only_what_was_kept_and_can_be_read_is_written_back() -> None:
    large = config("large", A="1").by_digest_alone()
    then = point(config_maps=(config("a", A="1"), config("unread", A="1"), large))
    now = point(config_maps=(config("a", A="2"), config("large", A="2")))
    assert differing(then, now) == ("ConfigMap a",)
    assert any("large" in one and "too large" in one for one in drift(then, now).stays)


def test_one_that_is_immutable_now_is_locked() -> None:
    found = drift(
        point(config_maps=(config(A="1"),)), point(config_maps=(config(A="2", immutable=True),))
    )
    assert found.locked == found.restored == ("ConfigMap shop",)


def test_what_nobody_may_read_is_not_asked_and_no_drift() -> None:
    then = point(scalers=scaler(3), secrets=(SecretReference(name="db"),), crds=None)
    now = point(not_read=("autoscalers: not read (no right)",), crds={"a": "v1"})
    found = drift(then, now)
    assert found.told == ()
    assert found.not_asked == ("now: autoscalers: not read (no right)", *NOT_ASKED)


def test_how_long_the_cluster_itself_knows_the_way_back() -> None:
    then = point(workloads=(workload(),))
    pruned = drift(then, point(workloads=(workload(kept_for=None),)))
    assert pruned.until == ("shop: its history forgot the template; only the stored one remains",)
    kept = drift(then, point(workloads=(workload(kept_for=3),)))
    assert "for 3 more rollouts" in kept.until[0]


def test_a_version_that_is_not_served_any_more_ends_the_way_back() -> None:
    then = point(crds={"w": "v1"}, served={"w": ("v1beta1", "v1")})
    found = drift(then, point(crds={"w": "v1"}, served={"w": ("v1",)}))
    assert found.until == ("CRD w: v1beta1 no longer served; what needs it fails",)


def test_the_same_content_has_the_same_digest() -> None:
    one, other = config(A="1", B="2"), config(B="2", A="1")
    assert point(config_maps=(one,)).digest == point(config_maps=(other,)).digest
    assert point(config_maps=(one,)).digest != point(config_maps=(config(A="1"),)).digest


def test_a_restore_point_fits_the_records() -> None:
    big = config("big", A="x" * (MOST_BYTES // 2 + 1))
    taken = point(config_maps=(big, big.model_copy(update={"name": "other"}), config(A="1")))
    kept = fitted(taken, complete=False)
    assert [one.is_kept for one in kept.config_maps].count(False) == 1
    assert len(kept.model_dump_json()) <= MOST_BYTES
    with pytest.raises(Blocked, match=r"largest ConfigMaps: big \(512 KiB\), other"):
        fitted(taken, complete=True)
