"""How each kind of owner is held and given back, as JSON patches on its own object. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from activities.integrations.kubernetes import fields
from activities.integrations.kubernetes.objects import Json, moment
from rollback_manager.owners import Agreement, OwnerKind

HELD = "rollback-manager.io/held"
"""Annotation of what is held: what was there before, and for which services it is held."""
RUNNING, ENDING = "Running", "Terminating"
"""Phases of an operation of Argo CD that is not over."""


class Held(NamedTuple):
    """What the annotation says. by: `ENV/SERVICE` of all that hold it; nobody: it is not held."""

    was: Json
    by: tuple[str, ...]


def held_of(item: Json) -> Held:
    """By whom an object is held; what cannot be read counts as not held."""
    text = item["metadata"].get("annotations", {}).get(HELD, "")
    try:
        found = json.loads(text or "{}")
        return Held(dict(found.get("was", {})), tuple(found.get("by", ())))
    except (ValueError, TypeError, AttributeError):
        return Held({}, ())


def note(held: Held) -> str | None:
    """The annotation's text; None where nobody holds it any more."""
    return json.dumps({"was": held.was, "by": sorted(held.by)}, sort_keys=True) if held.by else None


class Kind(Protocol):
    """What differs between kinds of owner."""

    def was(self, item: Json) -> Json:
        """What a hold takes away, to be given back."""

    def hold(self, item: Json, minimum: int) -> Sequence[Json]:
        """Operations that hold it; none where it is held."""

    def free(self, item: Json, was: Json, minimum: int) -> Sequence[Json]:
        """Operations that give back what was there; what others set meanwhile stays."""

    def missing(self, item: Json, minimum: int) -> str:
        """Why it is not held, in words; empty where it is."""

    def agrees(self, item: Json, since: datetime) -> Agreement:
        """Whether what it would bring about is what runs."""


class ArgoCd:
    """An Application: its auto-sync is switched off; a sync that is under way is ended."""

    def was(self, item: Json) -> Json:
        """Its `automated`, if it has one."""
        automated = _sync_policy(item).get("automated")
        return {} if automated is None else {"automated": automated}

    def hold(self, item: Json, minimum: int) -> Sequence[Json]:
        """As `argocd app set --sync-policy none` and `argocd app terminate-op` do it."""
        path = "/spec/syncPolicy/automated"
        off = [{"op": "remove", "path": path}] if "automated" in _sync_policy(item) else []
        phase = {"op": "replace", "path": "/status/operationState/phase", "value": ENDING}
        return [*off, *([phase] if _phase(item) == RUNNING else [])]

    def free(self, item: Json, was: Json, minimum: int) -> Sequence[Json]:
        """Its auto-sync as it was, unless somebody has set another one meanwhile."""
        if "automated" not in was or "automated" in _sync_policy(item):
            return []
        empty = {"op": "add", "path": "/spec/syncPolicy", "value": {}}
        back = {"op": "add", "path": "/spec/syncPolicy/automated", "value": was["automated"]}
        return [back] if "syncPolicy" in item["spec"] else [empty, back]

    def missing(self, item: Json, minimum: int) -> str:
        """Auto-sync that is on, or a sync that is not over."""
        if "automated" in _sync_policy(item):
            return f"its auto-sync is on: {fields.last(item, 'spec', 'syncPolicy', 'automated')}"
        if _phase(item) in {RUNNING, ENDING}:
            return f"a sync of it is {_phase(item).lower()}"
        return "a sync of it is about to begin" if "operation" in item else ""

    def agrees(self, item: Json, since: datetime) -> Agreement:
        """Its own comparison, made after the rollback: Synced with what runs."""
        status = item.get("status", {})
        sync, at = status.get("sync", {}), moment(status.get("reconciledAt"))
        said = f"Argo CD says {sync.get('status', 'nothing')} at {sync.get('revision', '?')[:12]}"
        if at is None or at <= since:
            return Agreement(agrees=False, because=f"{said}, from before the rollback")
        return Agreement(agrees=sync.get("status") == "Synced", because=said)


class Flux:
    """A Kustomization or a HelmRelease: it is suspended."""

    def was(self, item: Json) -> Json:
        """Whether somebody else had suspended it."""
        return {"suspend": bool(item["spec"].get("suspend"))}

    def hold(self, item: Json, minimum: int) -> Sequence[Json]:
        """As `flux suspend` does it."""
        return [] if item["spec"].get("suspend") else [_suspend(on=True)]

    def free(self, item: Json, was: Json, minimum: int) -> Sequence[Json]:
        """As `flux resume` does it, unless it was suspended before."""
        return [] if was.get("suspend") or not item["spec"].get("suspend") else [_suspend(on=False)]

    def missing(self, item: Json, minimum: int) -> str:
        """That it is not suspended."""
        by = fields.last(item, "spec", "suspend")
        return "" if item["spec"].get("suspend") else f"it is not suspended: {by}"

    def agrees(self, item: Json, since: datetime) -> Agreement:
        """It does not look at Git while it is suspended, so nothing of it can tell."""
        return Agreement(agrees=False, because="Flux compares nothing while it is suspended")


class Autoscaler:
    """A HorizontalPodAutoscaler: its minimum is raised, its maximum where it must be."""

    def was(self, item: Json) -> Json:
        """Its bounds."""
        spec = item["spec"]
        return {"minReplicas": spec.get("minReplicas", 1), "maxReplicas": spec["maxReplicas"]}

    def hold(self, item: Json, minimum: int) -> Sequence[Json]:
        """Not below `minimum`; a higher minimum of its own stays."""
        spec = item["spec"]
        most = [_bound("max", minimum)] if spec["maxReplicas"] < minimum else []
        return [*most, *([_bound("min", minimum)] if spec.get("minReplicas", 1) < minimum else [])]

    def free(self, item: Json, was: Json, minimum: int) -> Sequence[Json]:
        """Its bounds as they were, where they are still as the hold left them.

        Somebody may have raised the maximum meanwhile, for the load that there is.
        """
        spec = item["spec"]
        bounds = {"min": spec.get("minReplicas", 1), "max": spec["maxReplicas"]}
        back = dict(bounds)
        for name, there in bounds.items():
            before = was.get(f"{name}Replicas")
            if before is not None and there == max(before, minimum):
                back[name] = before
        back["max"] = max(back["max"], back["min"])  # the API refuses one below the other
        return [_bound(name, value) for name, value in back.items() if value != bounds[name]]

    def missing(self, item: Json, minimum: int) -> str:
        """A minimum that is too low."""
        there = item["spec"].get("minReplicas", 1)
        by = fields.last(item, "spec", "minReplicas")
        return "" if there >= minimum else f"its minimum is {there}, not {minimum}: {by}"

    def agrees(self, item: Json, since: datetime) -> Agreement:
        """It follows the load, whatever version runs."""
        return Agreement(agrees=True, because="the checks are over")


KINDS: dict[OwnerKind, Kind] = {
    OwnerKind.ARGO_CD: ArgoCd(),
    OwnerKind.FLUX: Flux(),
    OwnerKind.AUTOSCALER: Autoscaler(),
}


def _sync_policy(item: Json) -> Json:
    policy: Json = item["spec"].get("syncPolicy") or {}
    return policy


def _phase(item: Json) -> str:
    return str(item.get("status", {}).get("operationState", {}).get("phase", ""))


def _suspend(*, on: bool) -> Json:
    return {"op": "add", "path": "/spec/suspend", "value": on}


def _bound(name: str, value: int) -> Json:
    return {"op": "add", "path": f"/spec/{name}Replicas", "value": value}
