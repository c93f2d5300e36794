"""The role of the audit chain: kept, with its head anchored in a second place; asked about."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from temporalio import activity

from rollback_manager.audit import Anchor, AuditLog, Entry, last_before, proven, verify
from rollback_manager.audit.asked import (
    PAGE_BYTES,
    Answer,
    AuditRequest,
    ExportPage,
    ProveRollback,
    ShowEntries,
    VerifyChain,
)
from rollback_manager.errors import Blocked
from rollback_manager.values import Value

T = TypeVar("T", bound=Value)


class Chain(AuditLog, Protocol):
    """The chain as its keeper sees it."""

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """All of them, the oldest first. after: only those behind this one."""

    def newest(self, limit: int, about: str = "") -> Sequence[Entry]:
        """The newest, newest first. about: only those of this object; empty: of all."""

    def first_about(self, about: str) -> int:
        """Number of the first entry of this object; 0 where there is none."""

    def anchor(self) -> None:
        """Anchor the head, unless it is anchored already.

        Raises TemporaryError or PermanentError where the second place cannot be written.
        """

    def anchors(self) -> Sequence[Anchor]:
        """All that were made, the oldest first."""


class Anchors(Protocol):
    """The second place: out of reach of whoever can write the chain."""

    def keep(self, anchor: Anchor) -> None:
        """Add it. Raises TemporaryError or PermanentError where that is not possible."""

    def kept(self) -> Sequence[Anchor]:
        """All that were added, the oldest first."""


class AuditActivities:
    """The one activity behind the verb `audit`. chain: None where nothing is audited."""

    def __init__(self, chain: Chain | None) -> None:
        self._kept = chain

    @activity.defn(no_thread_cancel_exception=True)
    def ask_audit(self, request: AuditRequest) -> Answer:
        """What is asked; reads alone."""
        match request.ask:
            case ShowEntries(limit=limit, about=about):
                return Answer(entries=tuple(self._chain.newest(limit, about)))
            case VerifyChain(keys=keys):
                return self._verified(frozenset(keys))
            case ExportPage() as page:
                return self._page(page)
            case ProveRollback(rollback=rollback):
                return self._proven(rollback)

    @property
    def _chain(self) -> Chain:
        if self._kept is None:
            raise Blocked(
                "this worker keeps no audit chain",
                effect="Production is unchanged by this call.",
                next_step="Ask one that `serve` or `worker` started.",
            )
        return self._kept

    def _verified(self, keys: frozenset[str]) -> Answer:
        anchors = self._chain.anchors()
        trusted = keys or {one.key_id for one in anchors}
        return Answer(verdict=verify(self._chain.entries(), trusted, anchors))

    def _page(self, page: ExportPage) -> Answer:
        """Anchors first: one that is made meanwhile may be of an entry that is not exported."""
        left = () if page.after else self._chain.anchors()[page.anchors_after :]
        if left:
            return Answer(anchors=tuple(_fitting(left)), more=True)
        entries = tuple(_fitting(self._chain.entries(page.after)))
        return Answer(entries=entries, more=bool(entries))

    def _proven(self, rollback: str) -> Answer:
        anchors = self._chain.anchors()
        since = last_before(anchors, self._chain.first_about(rollback))
        entries = tuple(self._chain.entries(since.seq if since else 0))
        return Answer(proof=proven(rollback, entries, anchors, since))


def _fitting(values: Iterable[T]) -> Iterator[T]:
    """As many as one answer has room for, at least one."""
    left = PAGE_BYTES
    for one in values:
        yield one
        left -= len(one.model_dump_json())
        if left <= 0:
            return
