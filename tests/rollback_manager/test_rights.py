"""ConfigMaps that a service names are the only ones of its own that the worker may touch."""

from typing import Any

import pytest

from rollback_manager.access import Granted, too_much
from rollback_manager.catalogue import Placement
from rollback_manager.rendering.roles import manifest
from rollback_manager.rights import DENIED, Place, Right, of_gitops, of_service

SHOP = Place("main", "shop")


def placement(*config_maps: str, controller: str = "deployment", **more: Any) -> Placement:
    where = {"cluster": "main", "namespace": "shop"}
    return Placement.model_validate(
        {
            "workloads": {
                "kind": "kubernetes",
                "names": ["shop"],
                "controller": controller,
                "config_maps": config_maps,
                **where,
            },
            "traffic": {"kind": "kubernetes_service", "service": "shop", **where},
            "metrics": {
                "kind": "prometheus",
                "url": "http://127.0.0.1:1",
                "requests": "requests_total",
                "errors": {"kind": "label", "label": "code", "matches": "5.."},
            },
            **more,
        }
    )


def config_maps(one: Placement) -> set[str]:
    found = [right for right in of_service(one) if right.resource == "configmaps"]
    assert all(right.names for right in found), "no names would mean all of them"
    assert all(right.verbs == ("get", "patch") for right in found)
    return {name for right in found for name in right.names}


def test_a_service_that_names_none_gets_none() -> None:
    assert config_maps(placement()) == {DENIED}


def test_a_service_gets_those_that_it_names() -> None:
    assert config_maps(placement("shop-config", "files")) == {DENIED, "shop-config", "files"}


@pytest.mark.parametrize(
    ("gitops", "group", "resource", "namespace"),
    [
        ({"kind": "argo_cd", "application": "x"}, "argoproj.io", "applications", "argocd"),
        (
            {"kind": "flux", "kustomization": "x"},
            "kustomize.toolkit.fluxcd.io",
            "kustomizations",
            "flux-system",
        ),
        (
            {"kind": "flux", "helm_release": "x"},
            "helm.toolkit.fluxcd.io",
            "helmreleases",
            "flux-system",
        ),
    ],
)
def test_what_deploys_it_is_named_where_it_is(
    gitops: dict[str, str], group: str, resource: str, namespace: str
) -> None:
    """In the cluster of GitOps, which may be another one."""
    one = placement(gitops={**gitops, "cluster": "tools"})
    right = Right(group=group, resource=resource, verbs=("get", "patch"), names=("x",))
    assert list(of_gitops(one)) == [(Place("tools", namespace), right)]


def test_nothing_deploys_it_that_the_catalogue_does_not_name() -> None:
    assert list(of_gitops(placement())) == []


def test_a_deny_list_is_made_only_where_services_are() -> None:
    asked = dict(
        of_gitops(placement(gitops={"kind": "argo_cd", "cluster": "main", "application": "x"}))
    )
    text = manifest({place: [right] for place, right in asked.items()}, ("a", "b"), "test")
    assert DENIED not in text
    assert DENIED in manifest({SHOP: list(of_service(placement()))}, ("a", "b"), "test")


@pytest.mark.parametrize(
    ("controller", "verbs"),
    [("deployment", ("get", "list", "patch")), ("daemonset", ("list",))],
)
def test_autoscalers_are_patched_where_something_can_be_scaled(
    controller: str, verbs: tuple[str, ...]
) -> None:
    found = of_service(placement(controller=controller))
    (scaled,) = (one for one in found if one.resource == "horizontalpodautoscalers")
    assert scaled.verbs == verbs


def test_nothing_else_is_patched_without_its_name() -> None:
    patched = [one for one in of_service(placement()) if "patch" in one.verbs and not one.names]
    assert [one.resource for one in patched] == ["horizontalpodautoscalers"]


def test_a_right_to_any_autoscaler_is_too_much_only_where_nobody_asked_for_it() -> None:
    """Doctor's warning."""
    names = ("get", "list", "patch")
    rule = Granted(groups=("autoscaling",), resources=("horizontalpodautoscalers",), verbs=names)
    assert list(too_much(SHOP, [rule], list(of_service(placement())))) == []
    daemons = list(of_service(placement(controller="daemonset")))
    assert [one.level for one in too_much(SHOP, [rule], daemons)] == ["warn"]
