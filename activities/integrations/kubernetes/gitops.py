"""Who deploys a service from Git: as the catalogue names it, else as labels tell. Pure."""

from collections.abc import Iterator

from activities.integrations.kubernetes.by_hand import kubectl_at
from activities.integrations.kubernetes.held import held_of
from activities.integrations.kubernetes.objects import Json
from rollback_manager.owners import Owner, OwnerKind
from rollback_manager.platforms import ArgoCdTarget, FluxTarget, GitOpsTarget

NOT_NAMED = "found, not held"
ARGO_INSTANCE, ARGO_TRACKING = "argocd.argoproj.io/instance", "argocd.argoproj.io/tracking-id"
FLUX_KINDS = {
    "Kustomization": "kustomize.toolkit.fluxcd.io",
    "HelmRelease": "helm.toolkit.fluxcd.io",
}
FLUX_PLACES = {
    "Kustomization": ("/apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    "HelmRelease": ("/apis/helm.toolkit.fluxcd.io/v2", "helmreleases"),
}


def path_of(target: GitOpsTarget) -> str:
    """Where the API has what deploys the service."""
    match target:
        case ArgoCdTarget(namespace=namespace, application=name):
            return f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications/{name}"
        case FluxTarget(namespace=namespace):
            kind, name = _flux(target)
            group, plural = FLUX_PLACES[kind]
            return f"{group}/namespaces/{namespace}/{plural}/{name}"


def unread(target: GitOpsTarget, because: str) -> Owner:
    """It may not be read, or is not there: whether it puts its own back is not known."""
    is_argo = isinstance(target, ArgoCdTarget)
    return Owner(
        kind=OwnerKind.ARGO_CD if is_argo else OwnerKind.FLUX,
        name=path_of(target).rpartition("/namespaces/")[2],
        brings_back="may put its own back",
        not_held_because=f"not held, for it cannot be read ({because})",
        remedy="see `gitops` in the catalogue, and whether the worker may get and patch it",
    )


def named(target: GitOpsTarget, item: Json, context: str) -> Owner:
    """The owner that the catalogue names, as its object stands now."""
    match target:
        case ArgoCdTarget():
            return _argo(target, item, context)
        case FluxTarget():
            return _flux_owner(target, item, context)


def told_by(labels: Json, annotations: Json) -> Iterator[Owner]:
    """Owners that a controller's own labels tell of, and that the catalogue does not name."""
    tracked = str(annotations.get(ARGO_TRACKING, "")).partition(":")[0]
    if application := labels.get(ARGO_INSTANCE) or annotations.get(ARGO_INSTANCE) or tracked:
        yield _unnamed(OwnerKind.ARGO_CD, "Application", f"argo_cd, application: {application}")
    for kind, prefix in FLUX_KINDS.items():
        if name := labels.get(f"{prefix}/name"):
            place = f"namespace: {labels.get(f'{prefix}/namespace', '?')}"
            field = "kustomization" if kind == "Kustomization" else "helm_release"
            yield _unnamed(OwnerKind.FLUX, kind, f"flux, {place}, {field}: {name}")


def _unnamed(kind: OwnerKind, what: str, words: str) -> Owner:
    return Owner(
        kind=kind,
        name=f"{what} {words.rpartition(': ')[2]}",
        brings_back="puts its own back",
        not_held_because=NOT_NAMED,
        remedy=f"name it in the catalogue: gitops: {{kind: {words}, cluster: …}}",
    )


def _argo(target: ArgoCdTarget, item: Json, context: str) -> Owner:
    automated = item["spec"].get("syncPolicy", {}).get("automated")
    if automated is None and held_of(item).by:
        automated = held_of(item).was.get("automated")
    base = Owner(
        kind=OwnerKind.ARGO_CD,
        name=f"Application {target.namespace}/{target.application}",
        cluster=target.cluster,
        path=path_of(target),
        by_hand=_by_hand(context, target.namespace, "application", target.application, automated),
    )
    if automated is None or automated.get("enabled") is False:
        because = "not held, for it syncs only when somebody asks it to"
        return base.model_copy(update={"not_held_because": because})
    heals = "puts its own back within seconds (self-heal)"
    does = heals if automated.get("selfHeal") else "puts each new commit on (auto-sync)"
    return base.model_copy(update={"brings_back": does, **_of_a_set(item)})


def _of_a_set(item: Json) -> dict[str, str]:
    """An ApplicationSet writes its Applications anew: what is switched off there comes back."""
    owners = item["metadata"].get("ownerReferences", [])
    sets = [one["name"] for one in owners if one["kind"] == "ApplicationSet"]
    if not sets:
        return {}
    project = item["spec"].get("project", "default")
    application = item["metadata"]["name"]
    return {
        "not_held_because": f"cannot be held, for ApplicationSet {sets[0]} switches it on again",
        "remedy": f"before you start: argocd proj windows add {project} --kind deny"
        f" --schedule '* * * * *' --duration 24h --applications {application}",
    }


def _flux_owner(target: FluxTarget, item: Json, context: str) -> Owner:
    kind, name = _flux(target)
    every = item["spec"].get("interval", "its interval")
    held = bool(held_of(item).by)
    owner = Owner(
        kind=OwnerKind.FLUX,
        name=f"{kind} {target.namespace}/{name}",
        cluster=target.cluster,
        path=path_of(target),
        brings_back=f"puts its own back every {every}",
        by_hand=f"flux resume {kind.lower()} -n {target.namespace} {name}"
        + (f" --context {context}" if context else ""),
    )
    if item["spec"].get("suspend") and not held:
        because = "not held, for somebody has suspended it already"
        return owner.model_copy(update={"not_held_because": because})
    return owner


def _flux(target: FluxTarget) -> tuple[str, str]:
    if target.kustomization:
        return "Kustomization", target.kustomization
    return "HelmRelease", str(target.helm_release)


def _by_hand(context: str, namespace: str, kind: str, name: str, automated: object) -> str:
    if not isinstance(automated, dict):
        return ""
    flags = [
        "--sync-policy automated",
        *(["--self-heal"] if automated.get("selfHeal") else []),
        *(["--auto-prune"] if automated.get("prune") else []),
    ]
    note = f"{kubectl_at(context, namespace)} annotate {kind} {name} rollback-manager.io/held-"
    return f"argocd app set {namespace}/{name} {' '.join(flags)} && {note}"
