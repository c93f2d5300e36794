"""What was seen of a platform before a service goes back on it."""

from pydantic import Field

from rollback_manager.values import Value


class ControllerFacts(Value):
    """One controller as it stands.

    kind: as kubectl names it. unavailable, surge: pods that it may be short of, and have too many,
    while it replaces them. behind: pods that it never replaces and that have another version than
    the target. stuck: pods that never got ready, and for which it waits.
    """

    name: str
    kind: str
    replicas: int
    ready: int
    paused: bool = False
    strategy: str = "RollingUpdate"
    unavailable: int = 0
    surge: int = 0
    partition: int = 0
    behind: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()

    @property
    def argument(self) -> str:
        """Such as deployment/shop."""
        return f"{self.kind}/{self.name}"


class Budget(Value):
    """A PodDisruptionBudget that covers pods of the target.

    least: pods that must stay, out of those that are meant to be. is_absolute: that number, however
    many are meant to be. covers_bad: it covers the bad version's as well.
    """

    name: str
    least: int
    is_absolute: bool
    covers_bad: bool


class Quota(Value):
    """What is left of a resource. each: what a pod needs; None where it must say and does not.

    Both in the base unit of the resource: pods, cores, bytes.
    """

    name: str
    resource: str
    left: float
    each: float | None


class HelmRelease(Value):
    """A release of Helm that is in the middle of something. back_to: its last whole revision."""

    name: str
    revision: int
    status: str
    back_to: int | None


class PlatformFacts(Value):
    """What was seen. kubectl: how commands begin. not_asked: gate → why it could not be asked.

    more: pods of the target that are to be started. helm: name of the Helm release that it belongs
    to. misfits: in words, what a LimitRange forbids. dangling: Services that a route names and that
    are not there, with their weights. tried, refused: writes that were tried, and in words those
    that would be refused.
    """

    kubectl: str
    namespace: str
    in_place: bool
    controllers: tuple[ControllerFacts, ...]
    more: int = 0
    budgets: tuple[Budget, ...] = ()
    quotas: tuple[Quota, ...] = ()
    misfits: tuple[str, ...] = ()
    helm: str = ""
    pending: tuple[HelmRelease, ...] = ()
    dangling: dict[str, int] = Field(default_factory=dict)
    is_leaving: bool = False
    tried: int = 0
    refused: tuple[str, ...] = ()
    not_asked: dict[str, str] = Field(default_factory=dict)
