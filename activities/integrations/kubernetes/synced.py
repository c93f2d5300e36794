"""What Argo CD or Flux last brought into the cluster, of whatever owns a controller."""

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import Json
from rollback_manager.errors import NotFound

ARGO_CD = "argocd"
"""The namespace of Argo CD's Applications, unless the tracking id names another one."""
FLUX = {
    "kustomize.toolkit.fluxcd.io": ("v1", "kustomizations", "Kustomization"),
    "helm.toolkit.fluxcd.io": ("v2", "helmreleases", "HelmRelease"),
}


def synced(api: Api, controller: Json) -> str:
    """In words with its revision; empty where neither of them owns it. Raises what `api` raises."""
    meta = controller["metadata"]
    labels, notes = meta.get("labels", {}), meta.get("annotations", {})
    tracked = notes.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    if app := tracked or labels.get("argocd.argoproj.io/instance", ""):
        return _argo(api, app)
    for group, (version, plural, kind) in FLUX.items():
        if name := labels.get(f"{group}/name"):
            namespace = labels.get(f"{group}/namespace", "")
            path = f"/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}"
            return _said(api, path, f"Flux {kind} {namespace}/{name}", "lastAppliedRevision")
    return ""


def _argo(api: Api, app: str) -> str:
    namespace, apart, name = app.rpartition("_")
    namespace = namespace if apart else ARGO_CD
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications/{name or app}"
    return _said(api, path, f"Argo CD Application {namespace}/{name or app}", "sync", "revision")


def _said(api: Api, path: str, who: str, *keys: str) -> str:
    try:
        found = api.get(path).get("status", {})
    except NotFound:
        return f"{who}: not there"
    for key in keys:
        found = found.get(key, {}) if isinstance(found, dict) else {}
    return f"{who} at {found}" if found else f"{who}: no revision yet"
