"""The role of workloads, played by one controller that replaces its pods when its template changes.

A version is one of its revisions, or a template that was stored when a release was recorded: the
history of a controller is short, and its numbers change whenever somebody goes back.
"""

import shlex
from collections.abc import Callable, Sequence

from activities.integrations.kubernetes import objects, recorded
from activities.integrations.kubernetes.by_hand import kubectl
from activities.integrations.kubernetes.objects import Json, Revision
from activities.integrations.kubernetes.recorded import Recorded
from activities.integrations.kubernetes.side_by_side import instance
from activities.integrations.kubernetes.world import Reader, World
from activities.integrations.kubernetes.writes import (
    changed_since,
    compare_and_set,
    try_out,
    unless_lost,
)
from activities.targets import InstanceState, VersionState
from rollback_manager.errors import Blocked, NotFound
from rollback_manager.operation import Mark
from rollback_manager.platforms import Controller


class InPlace:
    """One Deployment, StatefulSet or DaemonSet."""

    def __init__(self, reader: Reader, known: Recorded) -> None:
        self._reader = reader
        self._recorded = known
        (self._name,) = reader.target.names

    def versions(self) -> dict[str, VersionState]:
        """Every version of which there is a template; pods count where they really have it."""
        world, stored = self._reader.now(), recorded.templates(self._recorded(), self._name)
        names = {one.version for one in world.revisions[self._name]} | stored.keys()
        current = self._current(world.controllers[self._name])
        return {name: self._state(world, name) for name in sorted(names | {current})}

    def instances(self) -> tuple[InstanceState, ...]:
        """Every pod that is not on its way out."""
        pods = self._reader.now().of(self._name)
        return tuple(instance(pod) for pod in pods if not pod.leaving)

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """Make it the version of the controller, with at least so many pods.

        Its count is never lowered, for it carries whatever else somebody gave it; a DaemonSet's is
        that of its nodes.

        Raises:
            StaleWrite: a newer mark stands there, or another template since the last look.
            NotFound: neither a revision nor a stored template has that version.
            Blocked: the controller is paused.
        """
        change, path = self.changing(version, instances), self._reader.path(self._name)
        known = self._reader.now().controllers[self._name]
        with unless_lost(self._reader.forget):
            answer = compare_and_set(self._reader.api, path, mark, change, known)
        self._reader.wrote(self._name, answer)

    def try_out(self, version: str, instances: int) -> None:
        """The same as a dry run; raises what `scale` would."""
        change = self.changing(version, instances)
        try_out(self._reader.api, self._reader.path(self._name), change)

    def by_hand(self, version: str, instances: int) -> tuple[str, ...]:
        """kubectl's words for the same: by the number that the revision has now, which moves."""
        world = self._reader.now()
        digest = objects.digest(self.template(world, version))
        kind = f"{self._reader.target.controller}/{self._name}"
        begin, name = kubectl(self._reader), shlex.quote(kind)
        live = (one for one in world.revisions[self._name] if one.digest == digest)
        if (revision := next(live, None)) is None:
            return (
                f"# no revision has {version} any more: its template is stored with the release",
            )
        undo = f"{begin} rollout undo {name} --to-revision={revision.number}"
        if self._reader.target.controller is Controller.DAEMON_SET:
            return (undo,)
        return (undo, f"{begin} scale {name} --replicas={instances}")

    def _state(self, world: World, version: str) -> VersionState:
        pods = [p for p in world.of(self._name) if p.version == version and not p.leaving]
        known = self._recorded()
        return VersionState(
            version=version,
            digest=objects.digest(self.template(world, version)),
            running=len(pods),
            ready=sum(recorded.counts(pod, known) for pod in pods),
            maximum=objects.desired(world.controllers[self._name], self._reader.target.controller),
            current=version == self._current(world.controllers[self._name]),
            note=recorded.notes(pods, known),
        )

    def template(self, world: World, version: str) -> Json:
        """What the controller has now; else the stored one; else its newest such revision.

        In this order, so that a version that it has already is never rolled out anew.
        """
        controller = world.controllers[self._name]
        if self._current(controller) == version:
            return objects.clean(controller["spec"]["template"])
        if stored := recorded.templates(self._recorded(), self._name).get(version):
            return objects.clean(stored)
        found: list[Revision] = [r for r in world.revisions[self._name] if r.version == version]
        if not found:
            known = sorted({one.version for one in world.revisions[self._name]})
            raise NotFound(
                f"{self._name} has no revision of {version} any more; it has: {', '.join(known)}",
                effect="Nothing was changed.",
                next_step="Record releases when they go out: rollback-manager releases record …",
            )
        return found[0].template

    def changing(self, version: str, instances: int) -> Callable[[Json], Sequence[Json]]:
        """The patch that gives it this version, with at least so many pods; from what is there."""
        world = self._reader.now()
        wanted = self.template(world, version)
        known = {_digest(world.controllers[self._name]), objects.digest(wanted)}

        def change(seen: Json) -> Sequence[Json]:
            if _digest(seen) not in known:
                raise changed_since(self._reader.path(self._name), seen)
            return self.change(seen, wanted, instances)

        return change

    def change(self, seen: Json, wanted: Json, instances: int) -> Sequence[Json]:
        """The patch that gives the controller this template, and at least so many pods."""
        kind = f"{self._reader.target.controller}/{self._name}"
        if seen["spec"].get("paused"):
            raise Blocked(
                f"{kind} is paused: it would not take the old template up",
                effect="Nothing was changed.",
                next_step=f"{kubectl(self._reader)} rollout resume {shlex.quote(kind)}",
            )
        operations: list[Json] = []
        if _digest(seen) != objects.digest(wanted):
            operations.append({"op": "replace", "path": "/spec/template", "value": wanted})
        is_counted = self._reader.target.controller is not Controller.DAEMON_SET
        if is_counted and seen["spec"].get("replicas", 1) < instances:
            operations.append({"op": "add", "path": "/spec/replicas", "value": instances})
        return operations

    def _current(self, controller: Json) -> str:
        return objects.version_of(controller["spec"]["template"], self._reader.target.version_label)


def _digest(controller: Json) -> str:
    return objects.digest(controller["spec"]["template"])
