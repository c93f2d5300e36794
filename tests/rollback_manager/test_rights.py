"""ConfigMaps that a service names are the only ones of its own that the worker may touch."""

from rollback_manager.catalogue import Placement
from rollback_manager.rights import DENIED, of_service


def placement(*config_maps: str) -> Placement:
    where = {"cluster": "main", "namespace": "shop"}
    return Placement.model_validate(
        {
            "workloads": {
                "kind": "kubernetes",
                "names": ["shop"],
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
