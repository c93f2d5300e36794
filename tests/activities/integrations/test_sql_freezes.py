"""Freezes that people said, on a real SQLite and a real PostgreSQL alike."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.freezes import FreezesKept
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from rollback_manager.errors import Unreachable
from rollback_manager.freezes import Direction, Freeze

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FreezesKept]:
    named = request.param == "postgresql"
    url = str(request.getfixturevalue("postgres_url")) if named else f"sqlite:///{tmp_path}/r.db"
    engine = engine_for(url)
    upgrade(engine)
    yield SqlRecords(engine)
    engine.dispose()


def freeze(id: str, **more: object) -> Freeze:
    words: dict[str, object] = {
        "env": "prod",
        "id": id,
        "begins": NOON,
        "until": NOON + HOUR,
        "reason": "inventory is counted",
        "by": "ana@example.com",
        "said_at": NOON,
    }
    return Freeze.model_validate({**words, **more})


def test_a_freeze_is_kept_as_it_was_said_and_only_once(records: FreezesKept) -> None:
    said = freeze("f-1", service="shop", direction=Direction.ROLLBACKS_TOO)
    records.keep_freeze(said)
    records.keep_freeze(said.model_copy(update={"reason": "another try of the same call"}))
    assert records.freezes("prod", NOON) == (said,)
    assert records.freezes("stage", NOON) == ()


def test_a_freeze_that_has_ended_is_not_listed(records: FreezesKept) -> None:
    records.keep_freeze(freeze("f-1"))
    records.keep_freeze(freeze("f-2", begins=NOON + HOUR, until=NOON + 2 * HOUR))
    assert [one.id for one in records.freezes("prod", NOON + HOUR)] == ["f-2"]


def test_lifting_ends_exactly_what_was_said_of_this(records: FreezesKept) -> None:
    records.keep_freeze(freeze("f-all"))
    records.keep_freeze(freeze("f-shop", service="shop"))
    records.keep_freeze(freeze("f-stage", env="stage"))
    (lifted,) = records.lift_freezes("prod", "", "ben@example.com", NOON)
    assert (lifted.id, lifted.lifted_at, lifted.lifted_by) == ("f-all", NOON, "ben@example.com")
    assert records.lift_freezes("prod", "", "ben@example.com", NOON) == ()
    assert [one.id for one in records.freezes("prod", NOON)] == ["f-shop"]
    assert [one.id for one in records.freezes("stage", NOON)] == ["f-stage"]


def test_a_database_that_is_not_there_has_no_answer() -> None:
    engine = engine_for("postgresql://rollback@127.0.0.1:1/records")
    with pytest.raises(Unreachable):
        SqlRecords(engine).freezes("prod", NOON)
