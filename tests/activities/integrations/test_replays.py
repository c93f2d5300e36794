"""What was received already: one is first, whoever asks at once, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from activities.integrations.sql import engine_for, upgrade
from activities.integrations.sql.replays import SqlReplays


@pytest.fixture(params=["sqlite", "postgresql"])
def replays(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlReplays]:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = engine_for(url)
    upgrade(engine)
    yield SqlReplays(engine)
    engine.dispose()


def test_the_first_time_is_the_first_time_alone(replays: SqlReplays) -> None:
    assert replays.first_time("slack/v0=1", 600)
    assert not replays.first_time("slack/v0=1", 600)
    assert replays.first_time("slack/v0=2", 600)


def test_of_many_at_once_one_is_first(replays: SqlReplays) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda _: replays.first_time("slack/v0=3", 600), range(40)))
    assert sum(answers) == 1


def test_what_has_expired_is_forgotten(replays: SqlReplays) -> None:
    assert replays.first_time("slack/v0=4", -1)
    assert replays.first_time("slack/v0=4", 600)
    assert not replays.first_time("slack/v0=4", 600)


def test_a_question_remembers_nothing(replays: SqlReplays) -> None:
    assert not replays.is_known("one")
    assert replays.first_time("one", 60)
    assert replays.is_known("one")
    assert replays.first_time("two", -1)
    assert not replays.is_known("two")
