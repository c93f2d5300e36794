"""The role of workloads, played by a Rollout of Argo: aborted, undone, promoted in full.

An aborted Rollout still has the bad template in its spec, and `retry` or the next controller runs
it again (argo-rollouts#2929): the template of the good version is written in any case.
"""

import shlex
import time
from collections.abc import Callable, Sequence

from activities.integrations.kubernetes import objects, rollout_status
from activities.integrations.kubernetes.by_hand import kubectl
from activities.integrations.kubernetes.in_place import InPlace
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.recorded import Recorded
from activities.integrations.kubernetes.world import Reader, World
from activities.integrations.kubernetes.writes import compare_and_set, set_status
from activities.targets import VersionState
from rollback_manager.errors import Blocked, TemporaryError
from rollback_manager.operation import Mark

NUDGE = "/metadata/annotations/rollback-manager.io~1nudge"
OBSERVED_S, POLL_S, NUDGE_S = 4.0, 0.05, 0.5
"""The controller takes a spec up in 0.1 to 0.3 s."""
ABORTED, RESUMED = '{"status":{"abort":true}}', '{"spec":{"paused":false}}'
"""In this order, the bad version does not go on when the pause ends."""


class RolloutPods:
    """One Rollout; what it has in common with a Deployment is asked of `InPlace`."""

    def __init__(self, reader: Reader, known: Recorded) -> None:
        self._reader = reader
        self._common = InPlace(reader, known)
        self.instances = self._common.instances
        (self._name,) = reader.target.names
        self._path = reader.path(self._name)

    def versions(self) -> dict[str, VersionState]:
        """Every version of which there is a template.

        current: its template is in the spec, and the controller brings it up whole: a canary at
        its pause is not.
        """
        found = self._common.versions()
        rollout = self._reader.now().controllers[self._name]
        whole, said = rollout_status.comes_up(rollout), rollout_status.told(rollout)
        return {
            version: state.model_copy(
                update={
                    "current": state.current and whole,
                    "note": "; ".join(filter(None, (state.note, said if state.current else ""))),
                }
            )
            for version, state in found.items()
        }

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """Make it the version of the Rollout, with at least so many pods; return when that runs.

        An update away from it that is not through is aborted first, so that its traffic goes also
        where the template cannot be written. What is not the stable version is promoted in full.

        Raises:
            StaleWrite: a newer mark stands there.
            NotFound: neither a revision nor a stored template has that version.
            Blocked: the Rollout is paused by its spec.
            TemporaryError: its controller does not take the template up.
        """
        world = self._reader.now(0.0)
        template = self._common.template(world, version)

        def abort(seen: Json) -> Sequence[Json]:
            self._must_run(seen)
            return _abort(world, seen, template)

        def change(seen: Json) -> Sequence[Json]:
            self._must_run(seen)
            return self._common.change(seen, template, instances)

        set_status(self._reader.api, self._path, mark, abort)
        try:
            compare_and_set(self._reader.api, self._path, mark, change)
            self._until(mark, rollout_status.is_observed)
            set_status(self._reader.api, self._path, mark, lambda seen: _promote(seen, template))
            self._until(mark, rollout_status.comes_up)
        finally:
            self._reader.forget()

    def by_hand(self, version: str, instances: int) -> tuple[str, ...]:
        """The words of Argo's own plug-in for kubectl: by the number that the revision has now."""
        world = self._reader.now()
        rollout = world.controllers[self._name]
        digest = objects.digest(self._common.template(world, version))
        begin, _, place = kubectl(self._reader).partition(" ")
        argo, name = f"{begin} argo rollouts {place}", shlex.quote(self._name)
        live = (one for one in world.revisions[self._name] if one.digest == digest)
        if (revision := next(live, None)) is None:
            return (
                f"# no revision has {version} any more: its template is stored with the release",
            )
        undo = f"{argo} undo {name} --to-revision={revision.number}"
        if revision.hash == rollout_status.stable(rollout):
            return (f"{argo} abort {name}", undo)
        return (undo, f"{argo} promote {name} --full")

    def _must_run(self, seen: Json) -> None:
        if not seen["spec"].get("paused"):
            return
        name, begin = shlex.quote(f"rollout/{self._name}"), kubectl(self._reader)
        patches = (
            f"{begin} patch {name} --subresource=status --type=merge -p '{ABORTED}'",
            f"{begin} patch {name} --type=merge -p '{RESUMED}'",
        )
        raise Blocked(
            f"rollout/{self._name} is paused by its spec: it would not take the old template up",
            effect="Nothing was changed.",
            next_step=" && ".join(patches),
        )

    def _until(self, mark: Mark, holds: Callable[[Json], bool]) -> None:
        """Wait, and write a note from time to time, so that the controller looks again.

        What is written while it writes its own status is stored, and forgotten by its cache.
        """
        until = time.monotonic() + OBSERVED_S
        nudge_at = time.monotonic() + NUDGE_S
        while not holds(self._reader.api.get(self._path)):
            now = time.monotonic()
            if now > until:
                raise TemporaryError(
                    f"the controller of Argo Rollouts has not taken up rollout/{self._name}"
                    f" for {OBSERVED_S:.0f} s",
                    effect="The old template stands in the spec; pods may not have followed it.",
                    next_step="See that the controller runs: kubectl -n argo-rollouts get pods",
                )
            if now >= nudge_at:
                nudge_at = now + NUDGE_S
                compare_and_set(self._reader.api, self._path, mark, _nudge)
            time.sleep(POLL_S)


def _nudge(_: Json) -> Sequence[Json]:
    return [{"op": "add", "path": NUDGE, "value": str(time.time_ns())}]


def _abort(world: World, seen: Json, template: Json) -> Sequence[Json]:
    """Only an update away from the stable version, whose template is the one that is wanted."""
    digest, name = objects.digest(template), seen["metadata"]["name"]
    is_stable = any(
        one.hash == rollout_status.stable(seen) and one.digest == digest
        for one in world.revisions[name]
    )
    if not is_stable or objects.digest(seen["spec"]["template"]) == digest:
        return ()
    return rollout_status.abort(seen)


def _promote(seen: Json, template: Json) -> Sequence[Json]:
    """Only the template that was written: nobody else's is promoted past its steps."""
    if objects.digest(seen["spec"]["template"]) != objects.digest(template):
        return ()
    return rollout_status.promotion(seen)
