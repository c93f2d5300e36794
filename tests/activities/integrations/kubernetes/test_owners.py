"""Who deploys from Git, as labels and objects tell it; how each kind is held. No cluster asked."""

from datetime import UTC, datetime
from typing import Any

from activities.integrations.kubernetes import autoscalers, gitops
from activities.integrations.kubernetes.held import ArgoCd, Autoscaler, Flux
from rollback_manager.owners import OwnerKind
from rollback_manager.platforms import ArgoCdTarget, FluxTarget

ARGO = ArgoCdTarget(kind="argo_cd", cluster="hub", application="shop")
SINCE = datetime(2026, 11, 27, 12, tzinfo=UTC)
AUTOMATED = {"selfHeal": True, "prune": True}


def application(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop"}, "spec": {"project": "shops", **spec}}


def test_an_application_of_a_set_is_said_with_its_remedy() -> None:
    item = application(syncPolicy={"automated": AUTOMATED})
    item["metadata"]["ownerReferences"] = [{"kind": "ApplicationSet", "name": "shops"}]
    owner = gitops.named(ARGO, item, "hub")
    assert not owner.can_be_held
    assert "ApplicationSet shops switches it on again" in owner.not_held_because
    assert "argocd proj windows add shops --kind deny" in owner.remedy


def test_an_application_that_syncs_by_hand_is_not_held() -> None:
    assert not gitops.named(ARGO, application(), "hub").can_be_held
    off = application(syncPolicy={"automated": {**AUTOMATED, "enabled": False}})
    assert not gitops.named(ARGO, off, "hub").can_be_held


def test_who_is_found_by_label_alone_is_said_with_the_line_that_names_it() -> None:
    (argo,) = gitops.told_by({"argocd.argoproj.io/instance": "shop"}, {})
    (tracked,) = gitops.told_by({}, {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:a/b"})
    labels = {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "flux"}
    (flux,) = gitops.told_by(labels, {})
    assert [one.kind for one in (argo, tracked, flux)] == [
        OwnerKind.ARGO_CD,
        OwnerKind.ARGO_CD,
        OwnerKind.FLUX,
    ]
    assert all(one.not_held_because == "found, not held" for one in (argo, tracked, flux))
    assert "gitops: {kind: argo_cd, application: shop" in argo.remedy
    assert "helm_release: shop" in flux.remedy


def test_a_sync_that_is_under_way_is_ended_and_waited_for() -> None:
    item = application(syncPolicy={"automated": AUTOMATED})
    item["status"] = {"operationState": {"phase": "Running"}}
    paths = {one["path"]: one["op"] for one in ArgoCd().hold(item, 1)}
    assert paths == {
        "/spec/syncPolicy/automated": "remove",
        "/status/operationState/phase": "replace",
    }
    item["spec"]["syncPolicy"] = {}
    item["status"]["operationState"]["phase"] = "Terminating"
    assert ArgoCd().missing(item, 1) == "a sync of it is terminating"


def test_argo_cd_agrees_only_by_a_comparison_made_after_the_rollback() -> None:
    item = application()
    item["status"] = {"sync": {"status": "Synced"}, "reconciledAt": "2026-11-27T11:59:59Z"}
    assert not ArgoCd().agrees(item, SINCE).agrees
    item["status"]["reconciledAt"] = "2026-11-27T12:00:09Z"
    assert ArgoCd().agrees(item, SINCE).agrees
    item["status"]["sync"]["status"] = "OutOfSync"
    assert not ArgoCd().agrees(item, SINCE).agrees


def test_what_somebody_switched_on_meanwhile_is_not_overwritten() -> None:
    item = application(syncPolicy={"automated": {"prune": False}})
    assert ArgoCd().free(item, {"automated": AUTOMATED}, 1) == []


def test_flux_is_suspended_and_resumed_unless_it_was_suspended_before() -> None:
    item: dict[str, Any] = {"metadata": {"name": "shop"}, "spec": {"interval": "10m"}}
    assert Flux().hold(item, 1) == [{"op": "add", "path": "/spec/suspend", "value": True}]
    item["spec"]["suspend"] = True
    target = FluxTarget(kind="flux", cluster="main", kustomization="shop")
    assert "somebody has suspended it" in gitops.named(target, item, "").not_held_because
    assert Flux().free(item, {"suspend": True}, 1) == []
    assert Flux().free(item, {"suspend": False}, 1)[0]["value"] is False
    assert not Flux().agrees(item, SINCE).agrees


def test_an_autoscaler_is_raised_to_what_is_wanted_and_no_lower() -> None:
    target = {"kind": "Deployment", "name": "shop"}
    spec = {"minReplicas": 2, "maxReplicas": 3, "scaleTargetRef": target}
    item: dict[str, Any] = {"metadata": {"name": "shop"}, "spec": spec}
    raised = {one["path"]: one["value"] for one in Autoscaler().hold(item, 4)}
    assert raised == {"/spec/maxReplicas": 4, "/spec/minReplicas": 4}
    assert Autoscaler().hold(item, 1) == []
    where = ("main", "", "shop")
    (owner,) = autoscalers.of([item], "deployment", {"shop": ""}, where)
    assert owner.can_be_held
    item["metadata"]["ownerReferences"] = [{"kind": "ScaledObject", "name": "shop"}]
    (keda,) = autoscalers.of([item], "deployment", {"shop": ""}, where)
    assert "paused-scale-in" in keda.remedy
    assert list(autoscalers.of([item], "deployment", {"till": ""}, where)) == []


def bounds(low: int, high: int) -> dict[str, Any]:
    return {"metadata": {"name": "shop"}, "spec": {"minReplicas": low, "maxReplicas": high}}


def test_an_autoscaler_gets_back_what_it_had_where_the_hold_alone_changed_it() -> None:
    was = Autoscaler().was(bounds(2, 3))
    given = {one["path"]: one["value"] for one in Autoscaler().free(bounds(4, 4), was, 4)}
    assert given == {"/spec/minReplicas": 2, "/spec/maxReplicas": 3}


def test_a_maximum_that_somebody_raised_during_the_hold_stays() -> None:
    was = Autoscaler().was(bounds(2, 10))
    given = {one["path"]: one["value"] for one in Autoscaler().free(bounds(4, 30), was, 4)}
    assert given == {"/spec/minReplicas": 2}


def test_bounds_that_are_given_back_are_some_that_the_api_takes() -> None:
    was = Autoscaler().was(bounds(2, 3))
    assert Autoscaler().free(bounds(5, 6), was, 6) == [
        {"op": "add", "path": "/spec/maxReplicas", "value": 5}
    ]
