"""The role of access: as whom the worker comes to its clusters, and what it may do there."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from temporalio import activity

from rollback_manager.access import (
    POLICIES,
    Checked,
    ClustersAsked,
    ClustersChecked,
    Granted,
    is_granted,
    missing,
    questions,
    too_much,
)
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import PermanentError, RollbackError
from rollback_manager.rights import Place, Right, rights

INSTALL = "kubectl apply -k deploy/kubernetes"


class Access(Protocol):
    """What one cluster says about the worker itself."""

    def uid(self) -> str:
        """UID of the cluster: of its namespace kube-system."""

    def rules(self, namespace: str) -> tuple[Granted, ...]:
        """All rights there, as the API server sums them up."""

    def may(self, namespace: str, right: Right, verb: str, name: str) -> bool:
        """One question; the API server's own answer."""

    def policy(self, name: str) -> str:
        """ "" where that admission policy is in force, else what is missing of it."""


class ClusterActivities:
    """The one activity behind `doctor --kubernetes`; it writes nothing."""

    def __init__(self, catalogue: Catalogue, access: Mapping[str, Access]) -> None:
        self._catalogue = catalogue
        self._access = access

    @activity.defn(no_thread_cancel_exception=True)
    def check_clusters(self, asked: ClustersAsked) -> ClustersChecked:
        """Every cluster, every namespace, every right; what cannot be asked is told as that."""
        envs = [asked.env] if asked.env else list(self._catalogue.environments)
        self._must_know(asked.env)
        wanted: dict[Place, list[tuple[str, Right]]] = {}
        for env in envs:
            for place, some in rights(self._catalogue, env).items():
                wanted.setdefault(place, []).extend((env, one) for one in some)
        found: list[Checked] = []
        for cluster in sorted({place.cluster for place in wanted}):
            found += self._cluster(cluster, {p: w for p, w in wanted.items() if p[0] == cluster})
        none = Checked(check="Kubernetes", level="ok", told="no service runs there")
        return ClustersChecked(checks=tuple(found or [none]))

    def _must_know(self, env: str) -> None:
        if env and env not in self._catalogue.environments:
            raise PermanentError(
                f"no environment {env!r}; known: {', '.join(self._catalogue.environments)}",
                effect="Nothing was asked.",
            )

    def _cluster(
        self, name: str, wanted: Mapping[Place, list[tuple[str, Right]]]
    ) -> Iterator[Checked]:
        access, pinned = self._access[name], self._catalogue.clusters[name].uid
        check = f"cluster {name}"
        try:
            uid = access.uid()
        except RollbackError as error:
            yield Checked(check=check, level="fail", told=error.what, next_step=error.next_step)
            return
        if not pinned:
            told, step = (
                f"uid {uid}, which the catalogue does not pin",
                f"clusters.{name}.uid: {uid}",
            )
            yield Checked(check=check, level="warn", told=told, next_step=step)
        elif pinned != uid:
            told = f"this is another cluster: uid {uid}, the catalogue names {pinned}"
            step = "See its context and kubeconfig in the catalogue"
            yield Checked(check=check, level="fail", told=told, next_step=step)
            return
        else:
            yield Checked(check=check, level="ok", told=f"answers, uid {uid} as pinned")
        for place, asked in wanted.items():
            yield from _told(f"rights in {place.namespace}", self._rights(access, place, asked))
        for policy in POLICIES:
            yield from _told(f"policy {policy}", self._policy(access, policy))

    def _rights(
        self, access: Access, place: Place, wanted: list[tuple[str, Right]]
    ) -> Iterator[Checked]:
        rules = access.rules(place.namespace)
        lacks = [
            missing(place, right, verb, name, env)
            for env, right in wanted
            for verb, name in questions(right)
            if not is_granted(rules, right, verb, name)
            and not access.may(place.namespace, right, verb, name)
        ]
        excess = list(too_much(place, rules, [right for _, right in wanted]))
        yield from lacks
        yield from excess
        if not lacks:
            told = f"{len(wanted)} rules are there" + ("" if excess else ", and no more")
            yield Checked(check=f"rights in {place.namespace}", level="ok", told=told)

    def _policy(self, access: Access, name: str) -> Iterator[Checked]:
        lacks = access.policy(name)
        told = lacks or "in force"
        yield Checked(
            check=f"policy {name}",
            level="warn" if lacks else "ok",
            told=told,
            next_step=INSTALL if lacks else "",
        )


def _told(check: str, found: Iterator[Checked]) -> Iterator[Checked]:
    """What could not be asked is no answer; the rest is asked all the same."""
    try:
        yield from found
    except RollbackError as error:
        told = f"unknown: {error.what}"
        yield Checked(check=check, level="fail", told=told, next_step=error.next_step)
