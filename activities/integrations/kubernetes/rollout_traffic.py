"""The role of traffic, played by a Rollout of Argo: it moves what its own strategy moves.

By pods where it has no router, by the weights that it told its router, or by its active Service.
What users really got is counted elsewhere: a weight was "verified" that no traffic had followed
(argo-rollouts#4347).
"""

from collections import Counter

from activities.integrations.kubernetes import objects, rollout_status
from activities.integrations.kubernetes.counted import Counted
from activities.integrations.kubernetes.objects import HASH_LABELS, Json
from activities.integrations.kubernetes.shares import by_pods, leaving_by_version, percents
from activities.integrations.kubernetes.world import Reader, World
from activities.targets import Counters, SharesAsSet
from rollback_manager.errors import Blocked
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.moves import Moves
from rollback_manager.operation import Mark


class RolloutTraffic:
    """Nobody but the Rollout sets it: it is seen."""

    def __init__(self, reader: Reader, counters: Counters | None) -> None:
        self._reader = reader
        self._counted = Counted(counters)
        (self._name,) = reader.target.names

    def shares(self) -> SharesAsSet:
        """The split that is in force, acknowledged once it is about the spec of now."""
        world = self._reader.now()
        rollout = world.controllers[self._name]
        return SharesAsSet(
            shares=self._split(world, rollout),
            mark=objects.mark_of(rollout),
            acknowledged=rollout_status.is_observed(rollout),
            moves=Moves.ROLLOUT,
        )

    def split(self) -> dict[str, int]:
        """The same shares, whether they are in force or not."""
        return self.shares().shares

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """Blocked: weights that somebody else writes are written back by the Rollout."""
        raise Blocked(
            f"rollout/{self._name} sets its traffic itself",
            effect="Nothing was changed.",
            next_step="Go back with its pods: plan again.",
        )

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """Requests as its metrics count them; ready and leaving pods as the kubelets say."""
        pods = self._reader.now().pods
        ready = Counter(pod.version for pod in pods if pod.ready)
        versions = {pod.version for pod in pods} | self._split(
            self._reader.now(), self._reader.now().controllers[self._name]
        ).keys()
        serving = {version: ready[version] for version in versions}
        return self._counted.snapshot(serving, leaving_by_version(pods))

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        """Nothing to type."""
        return ("# the Rollout moves its traffic: nothing is to be set",)

    def _split(self, world: World, rollout: Json) -> dict[str, int]:
        if service := rollout_status.active_service(rollout):
            return self._active(world, rollout, service)
        known = self._versions(world)
        parts: Counter[str] = Counter()
        for hash_, weight in rollout_status.weights(rollout).items():
            parts[known.get(hash_, hash_ or self._of_spec(rollout))] += weight
        pods = (pod for pod in world.of(self._name) if not pod.leaving)
        return percents(parts) or by_pods(pods, self._of_spec(rollout))

    def _active(self, world: World, rollout: Json, service: str) -> dict[str, int]:
        """By the selector of the Service itself, not by what the status says of it."""
        path = f"{self._reader.folder('v1', 'services')}/{service}"
        selector = self._reader.api.get(path)["spec"].get("selector") or {}
        hash_ = next((selector[key] for key in HASH_LABELS if key in selector), "")
        return {self._versions(world).get(hash_, self._of_spec(rollout)): 100}

    def _versions(self, world: World) -> dict[str, str]:
        return {one.hash: one.version for one in world.revisions[self._name]}

    def _of_spec(self, rollout: Json) -> str:
        template = rollout["spec"]["template"]
        return objects.version_of(template, self._reader.target.version_label)
