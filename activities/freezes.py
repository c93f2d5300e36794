"""The role that keeps freezes, and what is frozen now: said by people, or by the catalogue."""

from datetime import datetime
from typing import Protocol

from activities.step import now
from rollback_manager.catalogue import Catalogue
from rollback_manager.freezes import Freeze, declared, in_force


class FreezesKept(Protocol):
    """Freezes that people said. None is ever forgotten; one that was lifted says by whom."""

    def keep_freeze(self, freeze: Freeze) -> None:
        """Keep it under its id; what is there already stays as it is."""

    def lift_freezes(
        self, env: str, service: str, by: str, at: datetime, *, ids: tuple[str, ...] = ()
    ) -> tuple[Freeze, ...]:
        """End those of exactly this that have not ended; they, as they are now.

        ids: these alone; empty: all of them.
        """

    def freezes(self, env: str, since: datetime) -> tuple[Freeze, ...]:
        """All of an environment that were not lifted and do not end before."""


class Freezes:
    """Both sources as one."""

    def __init__(self, catalogue: Catalogue, kept: FreezesKept) -> None:
        self._catalogue = catalogue
        self._kept = kept

    def known(self, env: str) -> tuple[Freeze, ...]:
        """All that hold or will, of the whole environment. Raises Unreachable with the records."""
        windows = declared(env, self._catalogue.environments[env].freezes)
        at = now()
        return (*(one for one in windows if one.until > at), *self._kept.freezes(env, at))

    def in_force(self, env: str, service: str) -> tuple[Freeze, ...]:
        """Those that hold for the service now."""
        return in_force(self.known(env), service, now())
