"""One entry after the other, each holding the hash of the one before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

from pydantic import BeforeValidator, Field, ValidationError

from rollback_manager.audit.keys import AuditKey
from rollback_manager.values import Value

GENESIS = "0" * 64
"""What the first entry holds in place of a hash before it."""
UNHASHED = {"hash", "sig"}
LONGEST = 2_000
"""Characters of one text: reasons and refusals hold words of others, which may be long."""
LONGEST_JWS = 16_000
"""A signed decision is kept whole: some 1,500 characters, with many groups a few thousand."""


def _storable(text: object) -> object:
    """Without what a database or JSON cannot hold: NUL, and halves of a surrogate pair."""
    if not isinstance(text, str):
        return text
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _cut(text: object) -> object:
    text = _storable(text)
    return text[: LONGEST - 1] + "…" if isinstance(text, str) and len(text) > LONGEST else text


Said = Annotated[str, BeforeValidator(_cut)]
"""A text that may be of others: cut, never refused, for a refusal must be audited too."""


class Event(Value):
    """What happened, before it is chained.

    event_id: the same for the same thing however often it is told; it is kept once. actor: what
    did it (`gateway`, `worker`). subject: the person or machine in whose name. action: a verb with
    its object's kind (`approve`, `step.redirect_traffic`). object: what it concerns, mostly a
    workflow id. outcome: `done`, or `refused: …`. ts_source: when it happened, by the clock of who
    tells it. plan_digest, decision_jws, evidence_hash: what it rests on, where it rests on one.
    """

    event_id: Said
    actor: Said
    subject: Said
    action: Said
    object: Said
    plan_digest: Said = ""
    decision_jws: Annotated[str, BeforeValidator(_storable), Field(max_length=LONGEST_JWS)] = ""
    evidence_hash: Said = ""
    outcome: Said = "done"
    ts_source: datetime | None = None


class Entry(Event):
    """An event in its place. hash: of all the rest but `sig`, which signs it with `key_id`.

    seq: from 1, without a gap. ts_server: when it was written, by the clock of who wrote it.
    """

    seq: int
    prev_hash: str
    hash: str = ""
    ts_server: datetime
    key_id: str
    sig: str = ""


class Anchor(Value):
    """The head of the chain at one moment, kept in a second place.

    seq, hash: of the last entry; 0 and GENESIS before there is one. key_id, sig: whoever writes the
    chain then signs that head, so that each key is known here before its first entry.
    """

    seq: int
    hash: str
    key_id: str
    sig: str
    at: datetime


class AuditLog(Protocol):
    """Where entries are kept."""

    def append(self, event: Event) -> Entry:
        """Chain, sign and keep it; an event that is kept already is answered with its entry.

        Raises Unreachable while the database is down: what needs an entry must not be done then.
        """


def chained(event: Event, before: Entry | None, now: datetime, key: AuditKey) -> Entry:
    """The event as the entry after `before`; None: as the first one."""
    entry = Entry(
        **dict(event),
        seq=before.seq + 1 if before else 1,
        prev_hash=before.hash if before else GENESIS,
        ts_server=now,
        key_id=key.id,
    )
    found = content_hash(entry)
    return entry.model_copy(update={"hash": found, "sig": key.sign(found)})


def content_hash(entry: Entry) -> str:
    """SHA-256 of the entry's canonical JSON, 64 hex digits."""
    content = {name: value for name, value in as_written(entry).items() if name not in UNHASHED}
    return hashlib.sha256(canonical(content)).hexdigest()


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one spelling of texts, whole numbers and nulls that RFC 8785 allows.

    Its order of keys, by UTF-16, is Python's where they are ASCII, as ours are.
    """
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def anchored(head: Entry | None, now: datetime, key: AuditKey) -> Anchor:
    """The entry as the head of its chain; None: the chain is empty."""
    seq, found = (head.seq, head.hash) if head else (0, GENESIS)
    return Anchor(seq=seq, hash=found, key_id=key.id, sig=key.sign(found), at=now)


def as_written(entry: Entry) -> dict[str, str | int | None]:
    """The entry as texts, whole numbers and nulls: the very ones that are hashed."""
    return {name: _plain(value) for name, value in entry}


def as_read(written: Mapping[str, Any]) -> Entry:
    """The entry as it was found; one that nobody can have written so is not refused here.

    Its hash will be found wrong, and then it has a number: an error would have none.
    """
    try:
        return Entry.model_validate(written)
    except ValidationError:
        found: dict[str, Any] = {name: str(written.get(name, "")) for name in Entry.model_fields}
        found["seq"] = _whole(written.get("seq"))
        return Entry.model_construct(**found)


def _whole(number: Any) -> int:
    return number if isinstance(number, int) else 0


def _plain(value: Any) -> str | int | None:
    """Times in UTC with microseconds: databases spell them in several ways."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    plain: str | int | None = value
    return plain
