"""The role of traffic, played by an HTTPRoute of the Gateway API: weights of one Service each."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from activities.integrations.kubernetes import objects
from activities.integrations.kubernetes.by_hand import kubectl_at
from activities.integrations.kubernetes.counted import Counted
from activities.integrations.kubernetes.fresh import Fresh
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.shares import (
    leaving_by_version,
    percents,
    ready_by_version,
)
from activities.integrations.kubernetes.world import Reader, World
from activities.integrations.kubernetes.writes import (
    compare_and_set,
    must_be_as_seen,
    token_of,
    try_out,
)
from activities.targets import Counters, SharesAsSet
from rollback_manager.errors import Blocked
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.operation import Mark
from rollback_manager.platforms import HttpRouteTarget

SELECTORS_S = 10.0
"""How old the selectors of the Services behind a route may be; they are hardly ever changed."""


class _Backend(NamedTuple):
    """One place of a version in a rule."""

    rule: int
    place: int
    version: str
    weight: int


class HttpRouteTraffic:
    """Every rule that names Services of these versions is split alike; all else stays."""

    def __init__(self, target: HttpRouteTarget, reader: Reader, counters: Counters | None) -> None:
        self._target = target
        self._reader = reader
        root = f"/apis/gateway.networking.k8s.io/v1/namespaces/{target.namespace}/httproutes"
        self._path = f"{root}/{target.route}"
        self._route = Fresh(lambda: reader.api.get(self._path))
        self._selectors = Fresh(self._read_selectors, SELECTORS_S)
        self._counted = Counted(counters)

    def shares(self) -> SharesAsSet:
        """The weights as percents; Blocked where two rules are split differently."""
        world, route = self._reader.now(), self._route.now()
        splits = [_split(row) for row in self._rules(world, route).values()]
        if not splits or any(one != splits[0] for one in splits):
            raise Blocked(
                f"HTTPRoute {self._target.route} "
                + (
                    f"has rules that are split differently: {splits}"
                    if splits
                    else f"names none of the Services of {', '.join(self._reader.target.names)}"
                ),
                effect="Nothing was changed.",
                next_step="Give every rule the same backendRefs and weights.",
            )
        return SharesAsSet(
            shares=splits[0],
            mark=objects.mark_of(route),
            acknowledged=_is_taken_up(route),
            token=token_of(route),
        )

    def forget(self) -> None:
        """Whoever looks next reads the route and its Services anew."""
        self._route.forget()
        self._selectors.forget()

    def split(self) -> dict[str, int]:
        """The same shares, whether they are in force or not."""
        return self.shares().shares

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        """Set the weights of every rule at once, unless a newer mark stands there (StaleWrite)."""
        world = self._reader.now()

        def change(route: Json) -> Sequence[Json]:
            must_be_as_seen(self._path, route, seen, mark)
            return list(self._operations(self._rules(world, route), shares))

        try:
            compare_and_set(self._reader.api, self._path, mark, change)
        finally:
            self._route.forget()  # also where the answer was lost: it may have landed

    def try_out(self, shares: dict[str, int]) -> None:
        """The same as a dry run; raises what `set_shares` would."""
        world = self._reader.now()

        def change(route: Json) -> Sequence[Json]:
            return list(self._operations(self._rules(world, route), shares))

        try_out(self._reader.api, self._path, change)

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        """Requests as its metrics count them; ready and leaving pods as the kubelets say."""
        world = self._reader.now()
        named = self._named(world)
        by_version = {version: self._selectors.now()[name] for name, version in named.items()}
        versions = by_version.keys() | {pod.version for pod in world.pods}
        ready = ready_by_version(world.pods, by_version)
        serving = {version: ready[version] for version in versions}
        return self._counted.snapshot(serving, leaving_by_version(world.pods))

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        """kubectl's words for the same."""
        rules = self._rules(self._reader.now(), self._route.now())
        patch = json.dumps(list(self._operations(rules, shares)))
        begin = kubectl_at(self._reader.api.context, self._target.namespace)
        name = shlex.quote(f"httproute/{self._target.route}")
        return (f"{begin} patch {name} --type=json -p {shlex.quote(patch)}",)

    def _operations(
        self, rules: Mapping[int, Sequence[_Backend]], shares: Mapping[str, int]
    ) -> Iterator[Json]:
        for number, row in rules.items():
            if missing := {v for v, part in shares.items() if part} - {one.version for one in row}:
                raise Blocked(
                    f"rule {number} of HTTPRoute {self._target.route} has no backendRef for"
                    f" {', '.join(sorted(missing))}",
                    effect="Nothing was changed.",
                    next_step="Add its Service there with weight 0, then retry-step.",
                )
            first: dict[str, int] = {}
            for one in row:
                weight = shares.get(one.version, 0) if one.version not in first else 0
                first.setdefault(one.version, weight)
                path = f"/spec/rules/{one.rule}/backendRefs/{one.place}/weight"
                yield {"op": "add", "path": path, "value": weight}

    def _rules(self, world: World, route: Json) -> dict[int, list[_Backend]]:
        """The places of our versions, by rule; rules that name none of them are left out."""
        versions = self._named(world)
        found: dict[int, list[_Backend]] = {}
        for number, rule in enumerate(route["spec"].get("rules") or []):
            for place, ref in enumerate(rule.get("backendRefs") or []):
                if ref.get("kind", "Service") == "Service" and ref["name"] in versions:
                    one = _Backend(number, place, versions[ref["name"]], ref.get("weight", 1))
                    found.setdefault(number, []).append(one)
        return found

    def _named(self, world: World) -> dict[str, str]:
        """Service → the version whose pods alone it selects."""
        label, found = self._reader.target.version_label, {}
        templates = [one["spec"]["template"] for one in world.controllers.values()]
        for name, selector in self._selectors.now().items():
            versions = {
                objects.version_of(one, label)
                for one in templates
                if objects.selects(selector, one["metadata"].get("labels", {}))
            }
            if len(versions) == 1:
                found[name] = versions.pop()
        return found

    def _read_selectors(self) -> dict[str, dict[str, str]]:
        """Of every Service that the route names and that is there."""
        names = {
            ref["name"]
            for rule in self._route.now()["spec"].get("rules") or []
            for ref in rule.get("backendRefs") or []
            if ref.get("kind", "Service") == "Service"
        }
        root = f"/api/v1/namespaces/{self._target.namespace}/services"
        services = {one["metadata"]["name"]: one for one in self._reader.api.items(root)}
        return {n: services[n]["spec"].get("selector") or {} for n in names if n in services}


def _split(row: Sequence[_Backend]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for one in row:
        weights[one.version] = weights.get(one.version, 0) + one.weight
    return percents(weights)


def _is_taken_up(route: Json) -> bool:
    """Whether every gateway that reports on the route has accepted exactly this generation."""
    parents = route.get("status", {}).get("parents") or []
    generation = route["metadata"].get("generation", 0)
    return bool(parents) and all(
        any(_accepts(one, generation) for one in parent.get("conditions") or [])
        for parent in parents
    )


def _accepts(condition: Json, generation: int) -> bool:
    is_true = condition.get("type") == "Accepted" and condition.get("status") == "True"
    return is_true and condition.get("observedGeneration", 0) >= generation
