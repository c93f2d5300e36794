"""What the AnalysisRuns of a Rollout said of a version: evidence for a plan, no verdict of ours."""

from collections.abc import Iterable
from typing import Any

from activities.integrations.kubernetes import objects, rollout_status
from activities.integrations.kubernetes.refusals import Forbidden
from activities.integrations.kubernetes.world import Reader

Json = dict[str, Any]

GROUP = "argoproj.io/v1alpha1"
LABEL = "rollouts-pod-template-hash"
MOST = 5
OVER = ("Successful", "Failed", "Error", "Inconclusive")


class RolloutAnalyses:
    """Reads the AnalysisRuns and Experiments of one Rollout."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        (self._name,) = reader.target.names

    def told(self, version: str) -> tuple[str, ...]:
        """What they said of a version, newest first, and how its update ended there."""
        world = self._reader.now()
        rollout = world.controllers[self._name]
        hashes = {one.hash for one in world.revisions[self._name] if one.version == version}
        try:
            experiments = self._owned("experiments", {rollout["metadata"]["uid"]})
            owners = {rollout["metadata"]["uid"], *(e["metadata"]["uid"] for e in experiments)}
            runs = self._owned("analysisruns", owners)
        except Forbidden as error:
            return (f"its AnalysisRuns were not read: {error.what}",)
        about = [one for one in (*runs, *experiments) if _is_about(one, hashes)]
        about.sort(key=lambda one: one["metadata"]["creationTimestamp"], reverse=True)
        template = objects.version_of(
            rollout["spec"]["template"], self._reader.target.version_label
        )
        ended = rollout_status.told(rollout) if template == version else ""
        return (*filter(None, (ended,)), *map(words, about[:MOST]))

    def _owned(self, plural: str, owners: set[str]) -> list[Json]:
        found = self._reader.api.items(self._reader.folder(GROUP, plural))
        return [
            one
            for one in found
            if any(o["uid"] in owners for o in one["metadata"].get("ownerReferences", []))
        ]


def _is_about(item: Json, hashes: Iterable[str]) -> bool:
    """An Experiment's own runs carry no hash: they are told by the Experiment."""
    return item["metadata"].get("labels", {}).get(LABEL) in hashes


def words(run: Json) -> str:
    """One AnalysisRun or Experiment: its phase, and what failed or was never measured."""
    status, kind = run.get("status", {}), run.get("kind") or _kind(run)
    name, phase = run["metadata"]["name"], status.get("phase") or "Pending"
    metrics = [one for one in status.get("metricResults", []) if not one.get("dryRun")]
    odd = [_metric(one) for one in metrics if one.get("phase") not in ("Successful", "Running")]
    begin = f"{kind} {name}: {phase.lower()}"
    if phase == "Successful" and not any(one.get("count") for one in metrics):
        return (
            f"{begin} there, but stopped before any measurement: counted as a success there,"
            " no evidence here"
        )
    said = "; ".join(odd) or (status.get("message", "") if phase != "Successful" else "")
    return begin + (f": {said}" if said else "")


def _metric(one: Json) -> str:
    """`metric success-rate 3 of 5 measurements failed`."""
    parts = [
        f"{one[key]} {word}"
        for key, word in (("failed", "failed"), ("inconclusive", "inconclusive"))
        if one.get(key)
    ]
    if one.get("error"):
        parts.append(f"{one['error']} could not be made")
    counted = f"of {one.get('count', 0)} measurements {', '.join(parts) or 'none counts'}"
    return f"metric {one.get('name', '')}: {counted}"


def _kind(run: Json) -> str:
    return "AnalysisRun" if "metrics" in run.get("spec", {}) else "Experiment"
