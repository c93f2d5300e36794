"""What a plan rests on in a cluster, read for it; every write of the plan tried as a dry run."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol, TypeVar

from activities.integrations.kubernetes import helm, objects, room
from activities.integrations.kubernetes.by_hand import kubectl
from activities.integrations.kubernetes.configuration import GATEWAY, ClusterConfiguration
from activities.integrations.kubernetes.objects import Json
from activities.integrations.kubernetes.refusals import Forbidden
from activities.integrations.kubernetes.replacing import controller_facts, part
from activities.integrations.kubernetes.world import Reader
from activities.targets import SharesAsSet
from rollback_manager.errors import NotFound, PermanentError
from rollback_manager.frozen import Frozen
from rollback_manager.moves import FOLLOWS
from rollback_manager.plan import (
    Capacity,
    Configured,
    Reduced,
    Removed,
    ServicePlan,
    Split,
)
from rollback_manager.platform_facts import Budget, ControllerFacts, HelmRelease, PlatformFacts

T = TypeVar("T")
NO_RIGHT = "no right to read it"
NO_DRY_RUN = "does not support dry run"
"""As the API says it of a webhook that has effects of its own."""


class Scaled(Protocol):
    """Workloads whose writes can be tried."""

    def try_out(self, version: str, instances: int) -> None:
        """Raises what the write would."""


class Shared(Protocol):
    """Traffic whose writes can be tried."""

    def shares(self) -> SharesAsSet:
        """With what moves it."""

    def try_out(self, shares: dict[str, int]) -> None:
        """Raises what the write would."""


class Denying(Protocol):
    """Whoever keeps the list of what is denied."""

    def try_out_deny(self) -> None:
        """Raises what the write of the list would, where there is one."""


class ClusterPreconditions:
    """Of one service. traffic: None where it is no object of the cluster; route: its HTTPRoute."""

    def __init__(
        self,
        reader: Reader,
        workloads: Scaled,
        traffic: Shared | None,
        configuration: ClusterConfiguration,
        route: str = "",
        owners: Denying | None = None,
    ) -> None:
        self._reader, self._route = reader, route
        self._workloads, self._traffic = workloads, traffic
        self._configuration, self._owners = configuration, owners

    def seen(self, plan: ServicePlan, restored: Frozen | None) -> PlatformFacts:
        """What the cluster says of this plan. Raises TemporaryErrors alone."""
        look = _Looking(self._reader, plan, self._route, self._owners)
        return look.facts(*self._tried(plan, restored))

    def _tried(self, plan: ServicePlan, restored: Frozen | None) -> tuple[int, tuple[str, ...]]:
        """How many writes were tried, and in words those that would be refused."""
        refused: list[str] = []
        writes = list(self._writes(plan, restored))
        for write in writes:
            try:
                write()
            except PermanentError as error:
                refused.append("; ".join(filter(None, (error.what, error.next_step))))
        return len(writes), tuple(dict.fromkeys(refused))

    def _writes(self, plan: ServicePlan, restored: Frozen | None) -> Iterator[Callable[[], None]]:
        last: Split | None = None
        for action in plan.actions:
            match action.wanted:
                case Configured(objects=names) if restored:
                    yield partial(self._configuration.try_out, restored.only(names))
                case Capacity() | Reduced() | Removed() as wanted:
                    yield partial(self._workloads.try_out, wanted.version, wanted.instances)
                case Split() as split:
                    last = split
        follows = self._traffic is None or self._traffic.shares().moves in FOLLOWS
        if last is not None and self._traffic is not None and not follows:
            yield partial(self._traffic.try_out, last.shares)


class _Looking:
    """One look; what could not be asked is noted on the way."""

    def __init__(
        self, reader: Reader, plan: ServicePlan, route: str, owners: Denying | None
    ) -> None:
        self._reader, self._plan, self._route, self._owners = reader, plan, route, owners
        self._world = reader.now()
        self._not_asked: dict[str, str] = {}

    def facts(self, tried: int, refused: tuple[str, ...]) -> PlatformFacts:
        untried = [words for words in refused if NO_DRY_RUN in words]
        if untried:
            self._not_asked["preflight"] = "; ".join(untried)
        controllers = tuple(
            controller_facts(item, self._world, self._reader.target, self._plan.to_version)
            for item in self._world.controllers.values()
        )
        in_place = len(controllers) == 1
        template = self._template()
        quotas = self._asked("room", "v1", "resourcequotas")
        ranges = self._asked("room", "v1", "limitranges")
        if not template:
            self._not_asked["room"] = f"the cluster has no template of {self._plan.to_version}"
        if self._owners is not None:
            self._try_deny(self._owners)
        owner = next(filter(None, map(helm.release_of, self._world.controllers.values())), "")
        return PlatformFacts(
            kubectl=kubectl(self._reader),
            namespace=self._reader.target.namespace,
            in_place=in_place,
            controllers=controllers,
            more=self._more(controllers),
            budgets=self._budgets(),
            quotas=room.quotas(quotas, ranges, template) if template else (),
            misfits=room.misfits(ranges, template) if template else (),
            helm=owner,
            pending=self._read("helm_release", lambda: self._pending(owner), ()),
            dangling=self._read("routing", self._dangling, {}),
            is_leaving=self._is_leaving(),
            tried=tried,
            refused=tuple(words for words in refused if words not in untried),
            not_asked=self._not_asked,
        )

    def _template(self) -> Json:
        """Of the version that is gone back to, where the cluster has it."""
        revisions = (one for row in self._world.revisions.values() for one in row)
        found = (one.template for one in revisions if one.version == self._plan.to_version)
        return next(found, {})

    def _more(self, controllers: Sequence[ControllerFacts]) -> int:
        """Pods of the target that must be started while the others still run."""
        good = [pod for pod in self._world.pods if pod.version == self._plan.to_version]
        if len(controllers) > 1:
            return max(0, self._plan.desired - len(good))
        (one,) = controllers
        grown = max(0, self._plan.desired - one.replicas)
        must_surge = one.unavailable == 0 and len(good) < self._plan.desired
        return grown + (1 if must_surge else 0)

    def _budgets(self) -> tuple[Budget, ...]:
        items = self._asked("disruption_budgets", "policy/v1", "poddisruptionbudgets")
        found = (self._budget(item) for item in items)
        return tuple(one for one in found if one is not None)

    def _budget(self, item: Json) -> Budget | None:
        """None where it covers no pod of the target. Selectors by expression are not read."""
        wanted = (item["spec"].get("selector") or {}).get("matchLabels") or {}
        covered = {
            objects.version_of(template, self._reader.target.version_label)
            for template in self._templates()
            if objects.selects(wanted, template["metadata"].get("labels") or {})
        }
        if self._plan.to_version not in covered:
            return None
        least, desired = item["spec"].get("minAvailable"), self._plan.desired
        if least is None:
            most = part(item["spec"].get("maxUnavailable", 0), desired, math.ceil)
            number = desired - most
        else:
            number = part(least, desired, math.ceil)
        return Budget(
            name=item["metadata"]["name"],
            least=number,
            is_absolute=isinstance(least, int),
            covers_bad=self._plan.from_version in covered,
        )

    def _templates(self) -> Iterator[Json]:
        for controller in self._world.controllers.values():
            yield controller["spec"]["template"]
        for row in self._world.revisions.values():
            yield from (one.template for one in row)

    def _pending(self, owner: str) -> tuple[HelmRelease, ...]:
        if not owner:
            return ()
        return helm.pending(self._reader.api, self._reader.target.namespace, owner)

    def _dangling(self) -> dict[str, int]:
        """Services that the HTTPRoute names and that are not there → their highest weight."""
        if not self._route:
            return {}
        path = f"{self._reader.folder(GATEWAY, 'httproutes')}/{self._route}"
        route = self._reader.api.get(path)
        there = {one["metadata"]["name"] for one in self._list("v1", "services")}
        found: dict[str, int] = {}
        for rule in route["spec"].get("rules") or []:
            for ref in rule.get("backendRefs") or []:
                is_here = ref.get("namespace", self._reader.target.namespace) == (
                    self._reader.target.namespace
                )
                if ref.get("kind", "Service") == "Service" and is_here and ref["name"] not in there:
                    found[ref["name"]] = max(found.get(ref["name"], 0), ref.get("weight", 1))
        return found

    def _is_leaving(self) -> bool:
        path = f"/api/v1/namespaces/{self._reader.target.namespace}"
        found: Json = self._read("namespace", lambda: self._reader.api.metadata(path), {})
        return "deletionTimestamp" in found.get("metadata", {})

    def _try_deny(self, owners: Denying) -> None:
        """It is written once the rollback is over, and is no obstacle to it."""
        try:
            owners.try_out_deny()
        except PermanentError as error:
            self._not_asked["deny_list"] = f"it cannot be written ({error.what})"

    def _list(self, group: str, plural: str) -> list[Json]:
        return self._reader.api.items(self._reader.folder(group, plural))

    def _asked(self, gate: str, group: str, plural: str) -> list[Json]:
        nothing: list[Json] = []
        return self._read(gate, lambda: self._list(group, plural), nothing)

    def _read(self, gate: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except (Forbidden, NotFound) as error:
            what = NO_RIGHT if isinstance(error, Forbidden) else "it is not there"
            self._not_asked[gate] = what
            return otherwise
