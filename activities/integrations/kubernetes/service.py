"""The role of traffic, played by a Service: it goes to the ready pods that its selector takes."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.by_hand import kubectl_at
from activities.integrations.kubernetes.counted import Counted
from activities.integrations.kubernetes.endpoints import Endpoints
from activities.integrations.kubernetes.fresh import Fresh
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.shares import (
    by_pods,
    leaving_by_version,
    newest_mark,
    ready_by_version,
)
from activities.integrations.kubernetes.world import Reader, World
from activities.integrations.kubernetes.writes import (
    compare_and_set,
    must_be_as_seen,
    token_of,
    try_out,
    unless_lost,
)
from activities.targets import Counters, SharesAsSet
from rollback_manager.errors import Blocked
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.moves import Moves
from rollback_manager.operation import Mark
from rollback_manager.platforms import ServiceTarget


class ServiceTraffic:
    """A selector that takes one of several versions is switched; else traffic follows the pods."""

    def __init__(self, target: ServiceTarget, reader: Reader, counters: Counters | None) -> None:
        self._target = target
        self._reader = reader
        self._path = f"/api/v1/namespaces/{target.namespace}/services/{target.service}"
        self._service = Fresh(lambda: reader.api.get(self._path))
        self._endpoints = Endpoints(reader.api, target.namespace, target.service)
        self._counted = Counted(counters)

    def shares(self) -> SharesAsSet:
        """All traffic to one version, or split as the ready pods are."""
        world, service = self._reader.now(), self._service.now()
        selector = service["spec"].get("selector") or {}
        taken = [
            v for v, labels in self._labels(world).items() if objects.selects(selector, labels)
        ]
        if len(world.controllers) > 1 and len(taken) == 1:
            pods = {pod.name for pod in world.pods if pod.version == taken[0]}
            return SharesAsSet(
                shares={taken[0]: 100},
                mark=objects.mark_of(service),
                acknowledged=self._endpoints.are_only(pods, service),
                token=token_of(service),
                moves=Moves.SWITCH,
            )
        selected = [pod for pod in world.pods if objects.selects(selector, pod.labels)]
        return SharesAsSet(
            shares=by_pods(selected, next(iter(taken or self._labels(world)))),
            mark=newest_mark(world),
            acknowledged=True,
            moves=Moves.CONTROLLER if len(world.controllers) == 1 else Moves.INSTANCES,
        )

    def forget(self) -> None:
        """Whoever looks next reads the Service anew."""
        self._service.forget()

    def split(self) -> dict[str, int]:
        """The same shares, whether they are in force or not."""
        return self.shares().shares

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """Switch the selector to the one version, unless a newer mark stands there (StaleWrite)."""
        change, known = self._changing(shares, mark, seen), self._service.now()
        with unless_lost(self._service.forget):
            answer = compare_and_set(self._reader.api, self._path, mark, change, known)
        self._service.put(answer)

    def try_out(self, shares: dict[str, int]) -> None:
        """The same as a dry run; raises what `set_shares` would."""
        try_out(self._reader.api, self._path, self._changing(shares))

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """Requests as its metrics count them; ready and leaving pods as the kubelets say."""
        world, selector = self._reader.now(), self._service.now()["spec"].get("selector") or {}
        versions = self._labels(world).keys() | {pod.version for pod in world.pods}
        selectors = {v: self._would_be(selector, self._labels(world).get(v, {})) for v in versions}
        ready = ready_by_version(world.pods, selectors)
        serving = {version: ready[version] for version in versions}
        return self._counted.snapshot(serving, leaving_by_version(world.pods))

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        """kubectl's words for the same."""
        if self.shares().moves is not Moves.SWITCH:
            return ("# the traffic follows the pods: nothing is to be set",)
        version = max(shares, key=lambda name: shares[name])
        patch = json.dumps({"spec": {"selector": self._selector(self._service.now(), version)}})
        begin = kubectl_at(self._reader.api.context, self._target.namespace)
        name = shlex.quote(f"service/{self._target.service}")
        return (f"{begin} patch {name} --type=merge -p {shlex.quote(patch)}",)

    def _changing(
        self, shares: dict[str, int], mark: Mark | None = None, seen: str | None = None
    ) -> Callable[[Json], Sequence[Json]]:
        version, *more = [name for name, part in shares.items() if part]
        if more:
            raise Blocked(
                f"Service {self._target.service} sends all its traffic to one version",
                effect="Nothing was changed.",
                next_step="Name an HTTPRoute as `traffic` of it: that one can be split.",
            )

        def change(service: Json) -> Sequence[Json]:
            must_be_as_seen(self._path, service, seen, mark)
            wanted = self._selector(service, version)
            return [{"op": "replace", "path": "/spec/selector", "value": wanted}]

        return change

    def _labels(self, world: World) -> dict[str, Mapping[str, str]]:
        """Version → the labels that its pods get."""
        label, found = self._reader.target.version_label, {}
        for controller in world.controllers.values():
            template = controller["spec"]["template"]
            found[objects.version_of(template, label)] = template["metadata"].get("labels", {})
        return found

    def _selector(self, service: Json, version: str) -> dict[str, str]:
        """The same keys with that version's values; Blocked where it would take others as well."""
        labels = self._labels(self._reader.now(0.0))
        wanted = self._would_be(service["spec"].get("selector") or {}, labels.get(version, {}))
        taken = [name for name, own in labels.items() if objects.selects(wanted, own)]
        if taken == [version]:
            return wanted
        raise Blocked(
            f"the selector of Service {self._target.service} cannot tell {version} from others:"
            f" {wanted or 'a label of it is missing'} takes {', '.join(taken) or 'nothing'}",
            effect="Nothing was changed.",
            next_step="Give the pods of each version a label that the selector names.",
        )

    @staticmethod
    def _would_be(selector: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
        if not selector.keys() <= labels.keys():
            return dict(selector)
        return {key: labels[key] for key in selector}
