"""What nobody here has seen is not overwritten; what was lost on the way is looked for again."""

import json
from typing import Any

import pytest

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.http_route import HttpRouteTraffic
from activities.integrations.kubernetes.in_place import InPlace
from activities.integrations.kubernetes.owners import KubernetesOwners
from rollback_manager.errors import PermanentError, StaleWrite, Unreachable
from rollback_manager.frozen import Frozen, Workload
from rollback_manager.operation import Mark
from rollback_manager.owners import Owner, OwnerKind, to_hold
from rollback_manager.plan import OwnersHeld
from rollback_manager.platforms import ArgoCdTarget, HttpRouteTarget
from tests.activities.integrations.kubernetes.stand_in_api import (
    APPS,
    Json,
    StandInApi,
    deployment,
    reader,
)

MARK = Mark(op_id="0123456789abcdef", epoch=7, step=2)
SHOP = f"{APPS}/shop"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/shop"
APPLICATION = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop"
ARGO = ArgoCdTarget(kind="argo_cd", cluster="main", application="shop")


def stored(version: str, image: str) -> Frozen:
    template = json.dumps(objects.clean(deployment(version, image)["spec"]["template"]))
    return Frozen(
        version=version, workloads=(Workload(name="shop", template=template, replicas=2),)
    )


def image(api: StandInApi) -> str:
    found: str = api.objects[SHOP]["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


def test_a_deploy_that_began_after_the_look_is_not_overwritten() -> None:
    api = StandInApi(**{SHOP: deployment("v2")})
    workloads = InPlace(reader(api), lambda: {"v1": stored("v1", "shop:v1")})
    workloads.versions()
    api.objects[SHOP]["spec"]["template"] = deployment("v3")["spec"]["template"]
    api.objects[SHOP]["metadata"]["resourceVersion"] = "2"
    with pytest.raises(StaleWrite, match="changed since it was looked at"):
        workloads.scale("v1", 2, MARK)
    assert image(api) == "shop:v3"
    workloads.scale("v1", 2, MARK)  # whoever looks again has seen it, and decides anew
    assert image(api) == "shop:v1"


def test_a_version_that_it_has_already_is_never_rolled_out_anew() -> None:
    api = StandInApi(**{SHOP: deployment("v2", "shop:v2-mended")})
    workloads = InPlace(reader(api), lambda: {"v2": stored("v2", "shop:v2")})
    workloads.scale("v2", 3, MARK)
    assert image(api) == "shop:v2-mended"
    assert api.objects[SHOP]["spec"]["replicas"] == 3


def route(*conditions: Json) -> Json:
    refs = [{"name": f"shop-{version}", "weight": 50} for version in ("v1", "v2")]
    return {
        "metadata": {"name": "shop", "uid": "r", "resourceVersion": "1", "generation": 3},
        "spec": {"rules": [{"backendRefs": refs}]},
        "status": {"parents": [{"conditions": list(conditions)}]},
    }


def routed(*conditions: Json) -> tuple[StandInApi, HttpRouteTraffic]:
    found: dict[str, Json] = {ROUTE: route(*conditions)}
    for version in ("v1", "v2"):
        name = f"shop-{version}"
        found[f"{APPS}/{name}"] = deployment(version, name=name)
        service = {"metadata": {"name": name}, "spec": {"selector": {"app": name}}}
        found[f"/api/v1/namespaces/shop/services/{name}"] = service
    api = StandInApi(**found)
    target = HttpRouteTarget(kind="http_route", cluster="main", namespace="shop", route="shop")
    return api, HttpRouteTraffic(target, reader(api, "shop-v1", "shop-v2"), None)


def test_a_write_whose_answer_was_lost_is_seen_by_the_next_look() -> None:
    api, traffic = routed()
    seen, api.loses = traffic.shares().token, True
    with pytest.raises(Unreachable):
        traffic.set_shares({"v1": 100}, MARK, seen)
    again = traffic.shares()
    assert (again.shares, again.mark) == ({"v1": 100}, MARK)


@pytest.mark.parametrize(
    ("conditions", "taken_up"),
    [
        ([], False),
        ([{"type": "ResolvedRefs", "status": "True", "observedGeneration": 3}], False),
        ([{"type": "Accepted", "status": "True", "observedGeneration": 2}], False),
        ([{"type": "Accepted", "status": "True", "observedGeneration": 3}], True),
    ],
    ids=["nothing said", "of something else", "of an older one", "of this one"],
)
def test_a_gateway_that_says_nothing_has_not_taken_a_split_up(
    conditions: list[Json], taken_up: bool
) -> None:
    _, traffic = routed(*conditions)
    assert traffic.shares().acknowledged is taken_up


def owners(api: Any) -> KubernetesOwners:
    target = HttpRouteTarget(kind="http_route", cluster="main", namespace="shop", route="shop")
    return KubernetesOwners("prod/shop", reader(api), target, ARGO, {"main": api})


def test_a_deployer_that_is_not_there_keeps_nobody_from_going_back() -> None:
    (argo,) = owners(StandInApi(**{SHOP: deployment("v2"), ROUTE: route()})).found()
    assert "cannot be read" in argo.not_held_because
    assert to_hold((argo,), "v1") == ()


def test_what_was_deleted_while_it_was_held_is_given_back_by_that() -> None:
    own = owners(StandInApi(**{SHOP: deployment("v1")}))
    gone = Owner(kind=OwnerKind.ARGO_CD, name="Application shop", cluster="main", path="/gone")
    back = OwnersHeld(owners=(gone,), hold=False)
    assert own.missing(back) == ""
    assert "not there any more" in own.set(back, MARK)
    assert "not there any more" in own.missing(OwnersHeld(owners=(gone,)))


def application(**annotations: str) -> Json:
    meta = {"name": "shop", "uid": "a", "resourceVersion": "1", "annotations": annotations}
    return {"metadata": meta, "spec": {"syncPolicy": {}}}


def test_who_is_held_for_an_earlier_rollback_of_the_service_is_told_apart() -> None:
    was = {"automated": {"selfHeal": True}}
    for holder, held_before in (("prod/shop", True), ("prod/till", False)):
        note = json.dumps({"was": was, "by": [holder]})
        app = application(**{"rollback-manager.io/held": note})
        api = StandInApi(**{SHOP: deployment("v2"), ROUTE: route(), APPLICATION: app})
        (argo,) = owners(api).found()
        assert (argo.can_be_held, argo.held_before) == (True, held_before)


def test_a_hold_for_which_a_right_is_missing_is_said_and_not_planned() -> None:
    app = application()
    app["spec"]["syncPolicy"] = {"automated": {"selfHeal": True}}
    api = StandInApi(**{SHOP: deployment("v2"), ROUTE: route(), APPLICATION: app})
    (argo,) = owners(api).found()
    assert argo.can_be_held
    assert api.objects[APPLICATION] == app, "it was tried, not done"
    api.read_only.add(APPLICATION)
    (argo,) = owners(api).found()
    assert "the worker may not write to it (403" in argo.not_held_because
    assert to_hold((argo,), "v1") == ()


def test_nobody_is_held_in_another_cluster_than_the_one_that_is_pinned() -> None:
    app = application()
    app["spec"]["syncPolicy"] = {"automated": {"selfHeal": True}}
    api = StandInApi(**{SHOP: deployment("v2"), ROUTE: route(), APPLICATION: app})
    held = OwnersHeld(owners=owners(api).found())
    api.pinned = "uid-of-the-hub"
    with pytest.raises(PermanentError, match="this is another cluster"):
        owners(api).set(held, MARK)
    assert api.objects[APPLICATION] == app
    api.pinned = "uid-of-now"
    assert owners(api).set(held, MARK).endswith("held")
