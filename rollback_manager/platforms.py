"""Where a service runs and how traffic reaches it: what the catalogue says of each platform."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rollback_manager.contract import NAME
from rollback_manager.metrics.sources import Url
from rollback_manager.values import Value

Name = Annotated[str, Field(pattern=rf"^{NAME.pattern}$")]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""As Kubernetes names its objects: a DNS subdomain (RFC 1123)."""
LabelKey = Annotated[
    str, Field(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")
]


class SupervisordTarget(Value):
    """Instances run by supervisord, one program group per version, named `<program>-<version>`."""

    kind: Literal["supervisord"]
    socket: Annotated[str, Field(pattern=r"^/")]
    """Absolute path of supervisord's Unix socket."""
    program: Name
    ready_path: Annotated[str, Field(pattern=r"^/\S*$")] = "/ready"
    """Asked of every instance at the port in which its process name ends."""


class EnvoyTarget(Value):
    """Traffic split by Envoy: a route file that it watches, and its admin address."""

    kind: Literal["envoy"]
    admin: Url
    """Base URL of the admin interface, such as http://127.0.0.1:9901."""
    routes: str
    """Path of the route configuration file; written by atomic rename."""
    route: Name
    """Name of the route configuration; clusters are named `<route>-<version>`."""
    stat_prefix: str = "ingress"


class Cluster(Value):
    """One Kubernetes cluster, and as whom the worker comes to it.

    Nothing is taken from the surroundings: a kubeconfig counts only when it is named here, and of
    it only the named context, for its current one may change under a rollback.
    """

    kubeconfig: Annotated[str, Field(pattern=r"^(/\S.*)?$")] = ""
    """Absolute path; left out: the service account of the pod that the worker runs in."""
    context: str = ""
    uid: Annotated[str, Field(pattern=r"^([0-9a-f-]{36})?$")] = ""
    """UID of its namespace kube-system. Another cluster behind the same address is refused."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Cluster:
        if bool(self.kubeconfig) != bool(self.context):
            raise ValueError("name a kubeconfig together with one of its contexts, or neither")
        return self


class Controller(StrEnum):
    """What keeps the pods of a service."""

    DEPLOYMENT = "deployment"
    STATEFUL_SET = "statefulset"
    DAEMON_SET = "daemonset"
    ROLLOUT = "rollout"
    """Of Argo Rollouts; the catalogue names it by the kind `argo_rollout`."""


class KubernetesTarget(Value):
    """Pods kept by a controller of Kubernetes.

    One name: a new version replaces the old one in place, pod by pod. Several: one version each,
    side by side, as blue/green and canary have them.
    """

    kind: Literal["kubernetes"]
    cluster: Name
    namespace: ObjectName
    controller: Controller = Controller.DEPLOYMENT
    names: Annotated[tuple[ObjectName, ...], Field(min_length=1, max_length=8)]
    version_label: LabelKey = "app.kubernetes.io/version"
    """Label of the pod template that says the version; without it, the tag of its first image."""
    config_maps: Annotated[tuple[ObjectName, ...], Field(max_length=50)] = ()
    """ConfigMaps that return with a release: the worker's Role lets it read and write just these.
    Without that right they are named in the restore point as not read."""

    @model_validator(mode="after")
    def _side_by_side(self) -> KubernetesTarget:
        if self.controller is Controller.ROLLOUT:
            raise ValueError("a Rollout of Argo has a kind of its own: argo_rollout")
        if len(self.names) > 1 and self.controller is not Controller.DEPLOYMENT:
            raise ValueError(f"versions side by side need deployments, not a {self.controller}")
        if len(set(self.names)) < len(self.names):
            raise ValueError("a name stands there twice")
        return self


class ServiceTarget(Value):
    """Traffic that follows a Service of Kubernetes: it goes to the ready pods that it selects."""

    kind: Literal["kubernetes_service"]
    cluster: Name
    namespace: ObjectName
    service: ObjectName


class HttpRouteTarget(Value):
    """Traffic split by the weights of an HTTPRoute of the Gateway API, one Service per version."""

    kind: Literal["http_route"]
    cluster: Name
    namespace: ObjectName
    route: ObjectName


class RolloutTarget(Value):
    """Pods kept by a Rollout of Argo Rollouts, whatever its strategy is."""

    kind: Literal["argo_rollout"]
    cluster: Name
    namespace: ObjectName
    name: ObjectName
    version_label: LabelKey = "app.kubernetes.io/version"
    """Label of the pod template that says the version; without it, the tag of its first image."""

    @property
    def controller(self) -> Controller:
        """What keeps the pods."""
        return Controller.ROLLOUT

    @property
    def names(self) -> tuple[str, ...]:
        """The only one."""
        return (self.name,)


class RolloutTrafficTarget(Value):
    """Traffic that the same Rollout moves: by its pods, its router's weights, or its Services."""

    kind: Literal["argo_rollout"]
    cluster: Name
    namespace: ObjectName
    name: ObjectName


class ArgoCdTarget(Value):
    """The Application of Argo CD that deploys a service."""

    kind: Literal["argo_cd"]
    cluster: Name
    """Where Argo CD runs; often another one than the service's."""
    namespace: ObjectName = "argocd"
    application: ObjectName


class FluxTarget(Value):
    """The Kustomization or HelmRelease of Flux that deploys a service."""

    kind: Literal["flux"]
    cluster: Name
    namespace: ObjectName = "flux-system"
    kustomization: ObjectName | None = None
    helm_release: ObjectName | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> FluxTarget:
        if bool(self.kustomization) == bool(self.helm_release):
            raise ValueError("name either a kustomization or a helm_release")
        return self


GitOpsTarget = Annotated[ArgoCdTarget | FluxTarget, Field(discriminator="kind")]
PodsTarget = KubernetesTarget | RolloutTarget
"""What runs in pods."""
WorkloadsTarget = Annotated[
    SupervisordTarget | KubernetesTarget | RolloutTarget, Field(discriminator="kind")
]
TrafficTarget = Annotated[
    EnvoyTarget | ServiceTarget | HttpRouteTarget | RolloutTrafficTarget,
    Field(discriminator="kind"),
]


def clusters_of(workloads: WorkloadsTarget, traffic: TrafficTarget) -> set[str]:
    """Names of the clusters that a service is in."""
    parts = (workloads, traffic)
    return {part.cluster for part in parts if not isinstance(part, SupervisordTarget | EnvoyTarget)}


def misfit(workloads: WorkloadsTarget, traffic: TrafficTarget, *, counted: bool) -> None:
    """ValueError where the parts of one service cannot work together."""
    _must_be_one_rollout(workloads, traffic)
    if isinstance(traffic, EnvoyTarget):
        return
    if isinstance(workloads, SupervisordTarget):
        raise ValueError(f"traffic {traffic.kind} needs workloads of Kubernetes")
    if (workloads.cluster, workloads.namespace) != (traffic.cluster, traffic.namespace):
        raise ValueError("workloads and traffic must be in one cluster and namespace")
    if len(workloads.names) == 1 and isinstance(traffic, HttpRouteTarget):
        raise ValueError("an http_route needs versions side by side: name two deployments")
    if not counted:
        raise ValueError(f"traffic {traffic.kind} is measured elsewhere: name `metrics` of it")


def _must_be_one_rollout(workloads: WorkloadsTarget, traffic: TrafficTarget) -> None:
    pods, moved = isinstance(workloads, RolloutTarget), isinstance(traffic, RolloutTrafficTarget)
    if pods != moved:
        raise ValueError("an argo_rollout moves its own traffic: name it as both or as neither")
    if (
        isinstance(workloads, RolloutTarget)
        and isinstance(traffic, RolloutTrafficTarget)
        and workloads.name != traffic.name
    ):
        raise ValueError("workloads and traffic must be the same argo_rollout")
