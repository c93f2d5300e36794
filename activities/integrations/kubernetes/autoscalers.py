"""The autoscalers of a service's controllers. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from activities.integrations.kubernetes.by_hand import kubectl_at
from activities.integrations.kubernetes.held import held_of
from activities.integrations.kubernetes.objects import Json
from rollback_manager.owners import Owner, OwnerKind

PATH = "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"


def of(
    items: Iterable[Json], kind: str, versions: Mapping[str, str], where: tuple[str, str, str]
) -> Iterator[Owner]:
    """Those whose target is one of the controllers.

    versions: controller → the version whose instances it counts; empty where it has any version.
    where: cluster, context, namespace.
    """
    for item in items:
        target = item["spec"]["scaleTargetRef"]
        if target["kind"].lower() == kind and target["name"] in versions:
            yield _owner(item, versions[target["name"]], where)


def unread(because: str, namespace: str) -> Owner:
    """They may not be read: whether there are any is not known."""
    return Owner(
        kind=OwnerKind.AUTOSCALER,
        name=f"autoscalers of {namespace}",
        brings_back="may shrink what is restored",
        not_held_because=f"not held, for they cannot be read ({because})",
        remedy="let the worker get, list and patch horizontalpodautoscalers",
    )


def _owner(item: Json, version: str, where: tuple[str, str, str]) -> Owner:
    cluster, context, namespace = where
    name, spec = item["metadata"]["name"], item["spec"]
    held = held_of(item)
    bounds = {**spec, **(held.was if held.by else {})}
    least, most = bounds.get("minReplicas", 1), bounds["maxReplicas"]
    patch = f'{{"spec":{{"minReplicas":{least},"maxReplicas":{most}}}}}'
    begin = kubectl_at(context, namespace)
    owner = Owner(
        kind=OwnerKind.AUTOSCALER,
        name=f"HorizontalPodAutoscaler {namespace}/{name}",
        cluster=cluster,
        path=f"{PATH.format(namespace=namespace)}/{name}",
        version=version,
        brings_back=f"shrinks it to {least} where load is low",
        by_hand=f"{begin} patch hpa {name} --type=merge -p '{patch}'"
        f" && {begin} annotate hpa {name} rollback-manager.io/held-",
    )
    scaled = [o["name"] for o in item["metadata"].get("ownerReferences", []) if o["kind"] == KEDA]
    if not scaled:
        return owner
    return owner.model_copy(
        update={
            "not_held_because": f"cannot be held, for ScaledObject {scaled[0]} writes it anew",
            "remedy": f"before you start: {begin} annotate scaledobject {scaled[0]}"
            " autoscaling.keda.sh/paused-scale-in=true",
        }
    )


KEDA = "ScaledObject"
