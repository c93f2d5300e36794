"""In which versions custom resources are stored and served; their schemas are large."""

from collections.abc import Iterator
from typing import NamedTuple

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import Json
from rollback_manager.frozen import Frozen

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Versions(NamedTuple):
    """Of one custom resource. defined: changes whenever its definition does."""

    stored: str
    served: tuple[str, ...]
    defined: str


def read_crds(api: Api, point: Frozen | None) -> dict[str, Versions] | None:
    """By name; of those of a restore point only, where one is given, and None where it has none.

    Definitions that are what they were then are not read again: a list of all is megabytes.
    """
    if point is None:
        return {one["metadata"]["name"]: _versions(one) for one in api.items(CRDS)}
    return None if point.crds is None else dict(_again(api, point))


def _again(api: Api, point: Frozen) -> Iterator[tuple[str, Versions]]:
    if not point.crds:
        return
    there = {one["metadata"]["name"]: one for one in api.items(CRDS, metadata=True)}
    for name, stored in point.crds.items():
        if name not in there:
            continue
        defined = _defined(there[name])
        if defined == point.defined.get(name):
            yield name, Versions(stored, point.served.get(name, ()), defined)
        else:
            yield name, _versions(api.get(f"{CRDS}/{name}"))


def _versions(crd: Json) -> Versions:
    versions = crd["spec"]["versions"]
    stored = next((one["name"] for one in versions if one.get("storage")), "")
    served = tuple(one["name"] for one in versions if one.get("served"))
    return Versions(stored, served, _defined(crd))


def _defined(crd: Json) -> str:
    meta = crd["metadata"]
    return f"{meta['uid']}/{meta.get('generation', 0)}"
