"""The audit chain in a database, its head anchored in a second place."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, insert, select, text

from activities.audit import Anchors
from activities.integrations.sql.engine import answered
from activities.integrations.sql.tables import audit
from rollback_manager.audit import (
    Anchor,
    AuditKey,
    Entry,
    Event,
    anchored,
    as_read,
    as_written,
    chained,
)
from rollback_manager.authority.may import Verb
from rollback_manager.errors import RollbackError, Unreachable

LOCK = 7_655_228_348
"""Of PostgreSQL's advisory locks, another than the upgrade's; SQLite's transaction is the lock."""
ANCHOR_EVERY = timedelta(minutes=5)
DECISIONS = (frozenset[str](Verb) - {Verb.SEE, Verb.PLAN, Verb.READ_AUDIT}) | {"unfreeze"}
"""Anchored at once: what a person decides is what somebody would want to change later."""
PAGE = 5_000

log = logging.getLogger(__name__)


class SqlAudit:
    """The audit chain; safe to share between threads, and between processes on one database.

    key: read anew for each entry, so that a new key is used as soon as it stands in its place.
    """

    def __init__(self, engine: Engine, key: Callable[[], AuditKey], anchors: Anchors) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)
        self._key = key
        self._second_place = anchors
        self._last: Anchor | None = None
        self._introduced: set[str] = set()
        self._waiting: deque[_Waiting] = deque()
        self._turn = threading.Lock()

    def append(self, event: Event) -> Entry:
        """Chain, sign and keep it; an event that is kept already is answered with its entry.

        Events that wait at the same time are kept in one transaction: its cost is the disk's.

        Raises Unreachable while the database is down, or while a new key cannot be anchored.
        """
        mine = _Waiting(event)
        self._waiting.append(mine)
        with self._turn:
            if not mine.is_answered():
                self._keep_waiting()
        return mine.answer()

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """All of them, the oldest first, however many: they are read in pages."""
        while page := self._page(after):
            yield from page
            after = page[-1].seq

    def newest(self, limit: int, about: str = "") -> list[Entry]:
        """The newest, newest first. about: only those of this object; empty: of all."""
        asked = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        return self._read(asked.where(audit.c.object == about) if about else asked)

    def first_about(self, about: str) -> int:
        """Number of the first entry of this object; 0 where there is none."""
        asked = select(func.min(audit.c.seq)).where(audit.c.object == about)
        with answered(self._engine), self._engine.connect() as connection:
            return int(connection.execute(asked).scalar() or 0)

    def anchor(self) -> None:
        """Anchor the head, unless it is anchored already. Raises what the second place raises."""
        with answered(self._engine), self._engine.connect() as connection:
            head = _head(connection)
        last = self._last or self._newest()
        if head is not None and (last is None or last.seq < head.seq):
            self._keep(anchored(head, _now(), self._key()))

    def anchors(self) -> Sequence[Anchor]:
        """All that were made, the oldest first."""
        return self._second_place.kept()

    def _keep_waiting(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            key = self._key()
            with answered(self._engine), self._writing.begin() as connection:
                _lock(connection)
                kept = list(self._kept(connection, [one.event for one in waiting], key))
        except RollbackError as error:
            for one in waiting:
                one.found = error
            return
        for one, entry in zip(waiting, kept, strict=True):
            one.found = entry
        self._anchor_if_due(kept, key)

    def _kept(
        self, connection: Connection, events: Sequence[Event], key: AuditKey
    ) -> Iterator[Entry]:
        head = _head(connection)
        self._introduce(key, head)
        for event in events:
            if (before := _of_event(connection, event.event_id)) is not None:
                yield before
                continue
            head = chained(event, head, _now(), key)
            connection.execute(insert(audit).values(as_written(head)))
            yield head

    def _introduce(self, key: AuditKey, head: Entry | None) -> None:
        """Name the key in the second place before its first entry stands in the chain."""
        if key.id in self._introduced:
            return
        try:
            if all(one.key_id != key.id for one in self._second_place.kept()):
                self._keep(anchored(head, _now(), key))
        except RollbackError as error:
            raise Unreachable(
                f"the audit's second place does not take a new key: {error.what}",
                effect="Nothing was audited, so nothing was done.",
                next_step=error.next_step or "Make ROLLBACK_AUDIT_ANCHOR writable.",
            ) from error
        self._introduced.add(key.id)

    def _anchor_if_due(self, kept: Sequence[Entry], key: AuditKey) -> None:
        """They are kept already: a second place that is away for now is tried again later."""
        last, head = self._last, max(kept, key=lambda one: one.seq)
        is_due = last is None or _now() - last.at >= ANCHOR_EVERY
        if not is_due and not any(one.action in DECISIONS for one in kept):
            return
        if last is not None and last.seq >= head.seq:
            return
        try:
            self._keep(anchored(head, _now(), key))
        except RollbackError:
            log.exception("the head of the audit chain is not anchored", extra={"seq": head.seq})

    def _keep(self, anchor: Anchor) -> None:
        self._second_place.keep(anchor)
        self._last = anchor

    def _newest(self) -> Anchor | None:
        return max(self._second_place.kept(), key=lambda one: one.seq, default=None)

    def _page(self, after: int) -> list[Entry]:
        return self._read(
            select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(PAGE)
        )

    def _read(self, asked: Select[Any]) -> list[Entry]:
        with answered(self._engine), self._engine.connect() as connection:
            return [as_read(dict(row)) for row in connection.execute(asked).mappings()]


@dataclass
class _Waiting:
    """An event whose turn will come, and what became of it."""

    event: Event
    found: Entry | RollbackError | None = None

    def is_answered(self) -> bool:
        return self.found is not None

    def answer(self) -> Entry:
        if isinstance(self.found, Entry):
            return self.found
        raise self.found or Unreachable("the event was not kept", effect="Nothing was done.")


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _head(connection: Connection) -> Entry | None:
    return _one(connection, select(audit).order_by(audit.c.seq.desc()).limit(1))


def _of_event(connection: Connection, event_id: str) -> Entry | None:
    return _one(connection, select(audit).where(audit.c.event_id == event_id))


def _one(connection: Connection, asked: Select[Any]) -> Entry | None:
    row = connection.execute(asked).mappings().first()
    return as_read(dict(row)) if row else None


def _now() -> datetime:
    return datetime.now(UTC)
