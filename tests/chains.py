"""Audit chains made for tests, and what an attacker may do to one."""

from datetime import UTC, datetime, timedelta

from rollback_manager.audit import AuditKey, Entry, Event, chained

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = AuditKey(AuditKey.pem_of(b"k" * 32))
OTHER_KEY = AuditKey(AuditKey.pem_of(b"o" * 32))


def event(number: int, **more: object) -> Event:
    words: dict[str, object] = {
        "event_id": f"event-{number}",
        "actor": "worker",
        "subject": "ana@example.com",
        "action": "step.redirect_traffic",
        "object": "rollback/prod/checkout-is-down",
    }
    return Event.model_validate(words | more)


def chain(length: int, key: AuditKey = KEY, after: Entry | None = None) -> list[Entry]:
    """`length` entries, a second apart; after: the entry from which they go on."""
    entries: list[Entry] = []
    first = after.seq + 1 if after else 1
    for number in range(first, first + length):
        before = entries[-1] if entries else after
        when = NOON + timedelta(seconds=number)
        entries.append(chained(event(number), before, when, key))
    return entries
