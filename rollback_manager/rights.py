"""What the worker may do in each cluster: exactly what the catalogue's services ask of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rollback_manager.catalogue import Catalogue, Placement
from rollback_manager.platforms import (
    ArgoCdTarget,
    Controller,
    FluxTarget,
    HttpRouteTarget,
    KubernetesTarget,
    RolloutTarget,
    ServiceTarget,
)
from rollback_manager.values import Value

DENIED = "rollback-manager-denied"
"""The ConfigMap of a namespace whose images nobody may bring back."""
PLURALS = {
    Controller.DEPLOYMENT: "deployments",
    Controller.STATEFUL_SET: "statefulsets",
    Controller.DAEMON_SET: "daemonsets",
}
ONE = ("get", "patch")
"""Nothing is created, replaced or deleted, and but for pods nothing is watched. What is written is
read by its name, so that a right is never wider than the catalogue; but for autoscalers, which the
catalogue does not name: what may change in them, the policy rollback-manager-owners says."""
LISTED = (("", "resourcequotas"), ("", "limitranges"), ("policy", "poddisruptionbudgets"))
"""Read before a plan is approved: whether the pods of the old version will fit."""


class Place(NamedTuple):
    """A namespace in a cluster of the catalogue."""

    cluster: str
    namespace: str


class Right(Value):
    """What may be done to objects of one kind. group: "" for the core. names: empty: to all."""

    group: str = ""
    resource: str
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()


def rights(catalogue: Catalogue, env: str) -> dict[Place, tuple[Right, ...]]:
    """By namespace, as few rules as say it; an environment without Kubernetes has none."""
    found: dict[Place, list[Right]] = {}
    for service in catalogue.services.values():
        placement = service.environments.get(env)
        if placement is not None and isinstance(
            placement.workloads, KubernetesTarget | RolloutTarget
        ):
            where = Place(placement.workloads.cluster, placement.workloads.namespace)
            found.setdefault(where, []).extend(of_service(placement))
            for place, right in of_gitops(placement):
                found.setdefault(place, []).append(right)
    return {place: _joined(wanted) for place, wanted in sorted(found.items())}


def of_service(placement: Placement) -> Iterator[Right]:
    """What one service asks for in its namespace; nothing where it is not on Kubernetes."""
    pods, traffic = placement.workloads, placement.traffic
    if isinstance(pods, RolloutTarget):
        yield from _of_rollout(pods)
    if not isinstance(pods, KubernetesTarget):
        return
    if pods.config_maps:
        yield Right(resource="configmaps", verbs=ONE, names=pods.config_maps)
    is_deployment = pods.controller is Controller.DEPLOYMENT
    kept = "replicasets" if is_deployment else "controllerrevisions"
    yield Right(group="apps", resource=PLURALS[pods.controller], verbs=ONE, names=pods.names)
    yield Right(group="apps", resource=kept, verbs=("list",))
    yield from _around(pods.namespace, scales=pods.controller is not Controller.DAEMON_SET)
    match traffic:
        case ServiceTarget():
            yield Right(resource="services", verbs=ONE, names=(traffic.service,))
            yield Right(group="discovery.k8s.io", resource="endpointslices", verbs=("list",))
        case HttpRouteTarget():
            group = "gateway.networking.k8s.io"
            yield Right(group=group, resource="httproutes", verbs=ONE, names=(traffic.route,))
            yield Right(resource="services", verbs=("list",))
        case _:
            return


def _around(namespace: str, *, scales: bool) -> Iterator[Right]:
    """What is asked of any namespace with pods of ours. scales: something of it can be scaled."""
    yield Right(resource="pods", verbs=("list", "watch"))
    scaled = ("get", "list", "patch") if scales else ("list",)
    yield Right(group="autoscaling", resource="horizontalpodautoscalers", verbs=scaled)
    yield Right(resource="configmaps", verbs=ONE, names=(DENIED,))
    yield Right(resource="namespaces", verbs=("get",), names=(namespace,))
    for group, resource in LISTED:
        yield Right(group=group, resource=resource, verbs=("list",))


def of_gitops(placement: Placement) -> Iterator[tuple[Place, Right]]:
    """What deploys the service, by its name, where that is; often another cluster."""
    match placement.gitops:
        case ArgoCdTarget(cluster=cluster, namespace=namespace, application=name):
            group, resource, names = "argoproj.io", "applications", (name,)
        case FluxTarget(cluster=cluster, namespace=namespace, kustomization=str(name)):
            group, resource, names = "kustomize.toolkit.fluxcd.io", "kustomizations", (name,)
        case FluxTarget(cluster=cluster, namespace=namespace, helm_release=str(name)):
            group, resource, names = "helm.toolkit.fluxcd.io", "helmreleases", (name,)
        case _:
            return
    yield Place(cluster, namespace), Right(group=group, resource=resource, verbs=ONE, names=names)


def _of_rollout(rollout: RolloutTarget) -> Iterator[Right]:
    """Its status is patched to abort and to promote; which Services it has, its spec says."""
    group, name = "argoproj.io", (rollout.name,)
    yield Right(group=group, resource="rollouts", verbs=ONE, names=name)
    yield Right(group=group, resource="rollouts/status", verbs=("patch",), names=name)
    yield Right(group=group, resource="analysisruns", verbs=("list",))
    yield Right(group=group, resource="experiments", verbs=("list",))
    yield Right(group="apps", resource="replicasets", verbs=("list",))
    yield Right(resource="services", verbs=("get",))
    yield from _around(rollout.namespace, scales=True)


def _joined(wanted: Iterable[Right]) -> tuple[Right, ...]:
    """Rules of one kind and the same verbs become one, with all their names."""
    names: dict[tuple[str, str, tuple[str, ...]], set[str]] = {}
    for one in wanted:
        names.setdefault((one.group, one.resource, one.verbs), set()).update(one.names)
    return tuple(
        Right(group=group, resource=resource, verbs=verbs, names=tuple(sorted(some)))
        for (group, resource, verbs), some in sorted(names.items())
    )
