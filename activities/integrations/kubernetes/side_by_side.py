"""The role of workloads, played by several Deployments, one version each."""

import shlex
from collections.abc import Callable, Sequence

from activities.integrations.kubernetes import objects, recorded
from activities.integrations.kubernetes.by_hand import kubectl
from activities.integrations.kubernetes.objects import Json, Pod
from activities.integrations.kubernetes.recorded import Recorded
from activities.integrations.kubernetes.world import Reader, World
from activities.integrations.kubernetes.writes import compare_and_set, try_out, unless_lost
from activities.targets import InstanceState, VersionState
from rollback_manager.errors import Blocked, NotFound
from rollback_manager.operation import Mark


class SideBySide:
    """Versions as blue/green and canary have them: one is scaled, the other one stays as it is."""

    def __init__(self, reader: Reader, known: Recorded = dict) -> None:
        self._reader = reader
        self._recorded = known

    def versions(self) -> dict[str, VersionState]:
        """Every version that has a Deployment; readiness is what the kubelets last said."""
        world = self._reader.now()
        return {version: self._state(world, version, name) for version, name in self._named(world)}

    def instances(self) -> tuple[InstanceState, ...]:
        """Every pod that is not on its way out."""
        world = self._reader.now()
        return tuple(instance(pod) for pod in world.pods if not pod.leaving)

    def scale(self, version: str, instances: int, mark: Mark) -> None:
        """Run exactly `instances` of `version` unless a newer mark stands there (StaleWrite).

        Raises:
            NotFound: no Deployment of the catalogue has that version.
            Blocked: its Deployment is paused, or was given another version meanwhile.
        """
        name, change = self._changing(version, instances)
        path, known = self._reader.path(name), self._reader.now().controllers[name]
        with unless_lost(self._reader.forget):
            answer = compare_and_set(self._reader.api, path, mark, change, known)
        self._reader.wrote(name, answer)

    def try_out(self, version: str, instances: int) -> None:
        """The same as a dry run; raises what `scale` would."""
        name, change = self._changing(version, instances)
        try_out(self._reader.api, self._reader.path(name), change)

    def by_hand(self, version: str, instances: int) -> tuple[str, ...]:
        """kubectl's words for the same."""
        name = shlex.quote(f"deployment/{self._name(version)}")
        return (f"{kubectl(self._reader)} scale {name} --replicas={instances}",)

    def _named(self, world: World) -> list[tuple[str, str]]:
        """(version, Deployment): of two with the same version, the one that has more pods."""
        label = self._reader.target.version_label
        rows = [
            (objects.version_of(one["spec"]["template"], label), len(world.of(name)), name)
            for name, one in world.controllers.items()
        ]
        return [(version, name) for version, _, name in sorted(rows)]

    def _state(self, world: World, version: str, name: str) -> VersionState:
        staying, known = [pod for pod in world.of(name) if not pod.leaving], self._recorded()
        return VersionState(
            version=version,
            digest=objects.digest(world.controllers[name]["spec"]["template"]),
            running=len(staying),
            ready=sum(recorded.counts(p, known) and p.version == version for p in staying),
            maximum=len(staying),
            told=objects.desired(world.controllers[name], self._reader.target.controller),
            note=recorded.notes(staying, known),
        )

    def _name(self, version: str) -> str:
        named = dict(self._named(self._reader.now()))
        if version not in named:
            raise NotFound(
                f"no Deployment of {', '.join(self._reader.target.names)} has version {version};"
                f" they have: {', '.join(sorted(named))}",
                effect="Nothing was changed.",
            )
        return named[version]

    def _changing(
        self, version: str, instances: int
    ) -> tuple[str, Callable[[Json], Sequence[Json]]]:
        name = self._name(version)

        def change(seen: Json) -> Sequence[Json]:
            self._must_be(seen, name, version)
            return [{"op": "add", "path": "/spec/replicas", "value": instances}]

        return name, change

    def _must_be(self, seen: Json, name: str, version: str) -> None:
        there = objects.version_of(seen["spec"]["template"], self._reader.target.version_label)
        if there != version:
            raise Blocked(
                f"Deployment {name} has {there} by now, not {version}:"
                f" written by {objects.last_writer(seen)}",
                effect="Nothing was changed.",
                next_step="Stop that deploy, then plan again.",
            )


def instance(pod: Pod) -> InstanceState:
    """A pod as the instance that it is; the worker may not reach it past the proxy."""
    return InstanceState(
        name=pod.name, version=pod.version, ready=pod.ready, started_at=pod.started_at
    )
