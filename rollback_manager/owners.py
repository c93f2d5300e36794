"""Who else writes what a rollback writes, and what is done so that they do not take it back. Pure.

A controller that brings a wanted state about knows nothing of a rollback: Argo CD puts the bad
version back within seconds, an autoscaler shrinks what was just restored.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from rollback_manager.values import Value


class OwnerKind(StrEnum):
    """The kinds of those who write beside us."""

    ARGO_CD = "argo_cd"
    FLUX = "flux"
    AUTOSCALER = "autoscaler"
    WRITER = "writer"
    """Known by nothing but the fields that it wrote: a pipeline, an updater, a person."""


class Owner(Value):
    """One who writes the same fields.

    path: where the API of `cluster` has the object by which it is held. version: whose instances
    it concerns; empty: whatever runs. brings_back: what it would do, in words.
    not_held_because: empty where a rollback can hold it. by_hand: the line that gives it back.
    held_before: it is held for an earlier rollback of the service, and no undo gives it back.
    """

    kind: OwnerKind
    name: str
    cluster: str = ""
    path: str = ""
    version: str = ""
    brings_back: str = ""
    not_held_because: str = ""
    remedy: str = ""
    by_hand: str = ""
    held_before: bool = False

    @property
    def can_be_held(self) -> bool:
        """Whether a rollback keeps it from writing."""
        return not self.not_held_because


class Agreement(Value):
    """Whether what an owner would bring about is what runs, and why that is believed or not."""

    agrees: bool
    because: str


class Writer(Value):
    """Who wrote a field last, as the API server kept it; `at` to the second."""

    manager: str
    at: datetime | None = None

    def __str__(self) -> str:
        """In words: `argocd-controller at 12:00:03Z`."""
        return f"{self.manager} at {self.at:%H:%M:%SZ}" if self.at else self.manager


NOBODY = Writer(manager="nobody that the API server names")


def to_hold(owners: Iterable[Owner], good: str) -> tuple[Owner, ...]:
    """Those that are held while a service goes back to `good`."""
    return tuple(one for one in owners if one.can_be_held and one.version in {"", good})


def said(owners: Iterable[Owner], good: str) -> tuple[str, ...]:
    """One short sentence for each that matters to a way back to `good`."""
    return tuple(_sentence(one) for one in owners if one.version in {"", good})


def _sentence(one: Owner) -> str:
    does = f" {one.brings_back}" if one.brings_back else ""
    if one.can_be_held:
        return f"{one.name}{does}: held before the first write, given back once it agrees"
    remedy = f": {one.remedy}" if one.remedy else ""
    return f"{one.name}{does}: {one.not_held_because}{remedy}"
