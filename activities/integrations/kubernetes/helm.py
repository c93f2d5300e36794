"""Whether Helm is in the middle of something, by its records' labels; never their contents."""

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import Json
from rollback_manager.platform_facts import HelmRelease

RELEASE = "meta.helm.sh/release-name"
DONE = ("deployed", "superseded")


def release_of(controller: Json) -> str:
    """Name of the Helm release that a controller belongs to; empty where it belongs to none."""
    return str(controller["metadata"].get("annotations", {}).get(RELEASE, ""))


def pending(api: Api, namespace: str, name: str) -> tuple[HelmRelease, ...]:
    """Revisions that are under way, in Secrets or in ConfigMaps. Raises what `api` raises."""
    selector = f"owner=helm,name={name}"
    rows: list[tuple[int, str]] = []
    for kind in ("secrets", "configmaps"):
        path = f"/api/v1/namespaces/{namespace}/{kind}"
        for item in api.items(path, selector, metadata=True):
            labels = item["metadata"]["labels"]
            rows.append((int(labels.get("version", 0)), labels.get("status", "")))
    done = [number for number, status in rows if status in DONE]
    return tuple(
        HelmRelease(
            name=name,
            revision=number,
            status=status,
            back_to=max((one for one in done if one < number), default=None),
        )
        for number, status in sorted(rows)
        if status.startswith("pending-")
    )
