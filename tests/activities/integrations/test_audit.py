"""The audit chain on a real SQLite and a real PostgreSQL, and its anchors in a file."""

import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from activities.audit_key import audit_key, made_at_first_start
from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for, upgrade
from activities.secrets import Secrets
from rollback_manager.audit import Fault, verify
from rollback_manager.errors import PermanentError, Unreachable
from tests.chains import NOON, event


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path}/records.db"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    opened = engine_for(url)
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def chain(engine: Engine, tmp_path: Path) -> SqlAudit:
    return made(engine, tmp_path)


def made(engine: Engine, folder: Path) -> SqlAudit:
    key = audit_key(Secrets(), made_at_first_start(folder / "audit.pem"))
    return SqlAudit(engine, key, AnchorFile(folder / "anchor" / "audit.jsonl"))


def keys(chain: SqlAudit) -> set[str]:
    return {one.key_id for one in chain.anchors()}


def test_what_is_appended_comes_back_as_it_was_and_holds(chain: SqlAudit) -> None:
    written = [chain.append(event(number, ts_source=NOON)) for number in range(3)]
    assert list(chain.entries()) == written
    assert [one.seq for one in written] == [1, 2, 3]
    assert verify(chain.entries(), keys(chain), chain.anchors()).holds


def test_an_event_is_kept_once_however_often_it_is_told(chain: SqlAudit) -> None:
    first = chain.append(event(1))
    assert chain.append(event(1, outcome="told again")) == first
    assert len(list(chain.entries())) == 1


def test_forty_who_append_at_once_make_one_chain_without_a_gap(
    engine: Engine, tmp_path: Path
) -> None:
    chains = [made(engine, tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: chains[number % 4].append(event(number // 2)), range(80)))
    verdict = verify(chains[0].entries(), keys(chains[0]), chains[0].anchors())
    assert (verdict.holds, verdict.entries) == (True, 40)


@pytest.mark.parametrize("statement", ["UPDATE audit SET subject = 'eve'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_an_entry(
    chain: SqlAudit, engine: Engine, statement: str
) -> None:
    chain.append(event(1))
    with pytest.raises(DBAPIError, match="never changed"), engine.begin() as connection:
        connection.execute(text(statement))


def test_an_edit_past_the_triggers_is_found(chain: SqlAudit, engine: Engine) -> None:
    for number in range(3):
        chain.append(event(number))
    trigger = "audit_no_update" if engine.dialect.name == "sqlite" else "audit_is_kept ON audit"
    with engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER {trigger}"))
        connection.execute(text("UPDATE audit SET ts_server = 'yesterday' WHERE seq = 2"))
    verdict = verify(chain.entries(), keys(chain), chain.anchors())
    assert (verdict.fault, verdict.at) == (Fault.EDITED, 2)


def test_a_database_written_anew_is_found_by_its_anchors(tmp_path: Path) -> None:
    before, after = (engine_for(f"sqlite:///{tmp_path}/{name}.db") for name in ("one", "two"))
    for one in (before, after):
        upgrade(one)
    made(before, tmp_path).append(event(1, action="approve"))
    forged = made(after, tmp_path)  # the same key, the same anchors, another past
    forged.append(event(1, action="reject"))
    verdict = verify(forged.entries(), keys(forged), forged.anchors())
    assert (verdict.fault, verdict.at) == (Fault.REWRITTEN, 1)
    for one in (before, after):
        one.dispose()


def test_a_role_that_may_insert_alone_can_append_and_change_nothing(
    postgres_url: str, tmp_path: Path
) -> None:
    owner = engine_for(postgres_url)
    upgrade(owner)
    role = f"appender_{os.getpid()}"
    with owner.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text(f"GRANT SELECT, INSERT ON audit TO {role}"))
    app = engine_for(make_url(postgres_url).set(username=role).render_as_string())
    chain = made(app, tmp_path)
    chain.append(event(1))
    for forbidden in ("DELETE FROM audit", "ALTER TABLE audit DISABLE TRIGGER ALL"):
        with pytest.raises(DBAPIError), app.begin() as connection:
            connection.execute(text(forbidden))
    assert verify(chain.entries(), keys(chain), chain.anchors()).holds
    app.dispose()
    with owner.begin() as connection:
        connection.execute(text(f"REVOKE ALL ON audit FROM {role}"))
        connection.execute(text(f"DROP ROLE {role}"))
    owner.dispose()


def test_while_the_database_is_down_nothing_can_be_audited(tmp_path: Path) -> None:
    engine = engine_for("postgresql://rollback@127.0.0.1:1/records")
    with pytest.raises(Unreachable):
        made(engine, tmp_path).append(event(1))
    engine.dispose()


def test_a_decision_is_anchored_at_once_and_a_step_after_five_minutes(
    chain: SqlAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.append(event(1))
    before = len(chain.anchors())
    chain.append(event(2))
    assert len(chain.anchors()) == before
    chain.append(event(3, action="approve"))
    assert chain.anchors()[-1].seq == 3
    monkeypatch.setattr("activities.integrations.sql.audit.ANCHOR_EVERY", NOON - NOON)
    chain.append(event(4))
    assert chain.anchors()[-1].seq == 4


def test_the_head_is_anchored_once(chain: SqlAudit) -> None:
    chain.append(event(1, action="approve"))
    chain.append(event(2))
    chain.anchor()
    made_by_then = len(chain.anchors())
    chain.anchor()
    assert (chain.anchors()[-1].seq, len(chain.anchors())) == (2, made_by_then)


def test_a_new_key_is_anchored_before_its_first_entry(engine: Engine, tmp_path: Path) -> None:
    chain = made(engine, tmp_path)
    first = chain.append(event(1))
    (tmp_path / "audit.pem").unlink()
    made_at_first_start(tmp_path / "audit.pem")
    second = chain.append(event(2))
    assert first.key_id != second.key_id
    introduced = next(one for one in chain.anchors() if one.key_id == second.key_id)
    assert introduced.seq == 1
    assert verify(chain.entries(), keys(chain), chain.anchors()).holds


def test_a_second_place_that_cannot_be_written_keeps_a_new_key_from_signing(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "anchor").write_text("a file where the folder should be")
    with pytest.raises(Unreachable, match="second place"):
        made(engine, tmp_path).append(event(1))


def test_a_second_place_that_is_away_later_does_not_hold_entries_up(
    chain: SqlAudit, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain.append(event(1, action="approve"))
    (tmp_path / "anchor" / "audit.jsonl").rename(tmp_path / "kept")
    (tmp_path / "anchor" / "audit.jsonl").mkdir()
    chain.append(event(2, action="approve"))
    assert "not anchored" in caplog.text
    (tmp_path / "anchor" / "audit.jsonl").rmdir()
    (tmp_path / "kept").rename(tmp_path / "anchor" / "audit.jsonl")
    chain.anchor()
    assert chain.anchors()[-1].seq == 2


def test_half_a_line_of_a_crash_does_not_spoil_the_next_one(
    chain: SqlAudit, tmp_path: Path
) -> None:
    chain.append(event(1, action="approve"))
    with (tmp_path / "anchor" / "audit.jsonl").open("a") as torn:
        torn.write('{"seq": 1, "ha')
    chain.append(event(2, action="approve"))
    assert chain.anchors()[-1].seq == 2


def test_a_line_that_is_no_anchor_is_told(chain: SqlAudit, tmp_path: Path) -> None:
    chain.append(event(1))
    with (tmp_path / "anchor" / "audit.jsonl").open("a") as foreign:
        foreign.write("{}\n")
    with pytest.raises(PermanentError, match=r"audit.jsonl:\d is no anchor"):
        chain.anchors()


def test_key_and_anchors_are_for_this_user_alone(chain: SqlAudit, tmp_path: Path) -> None:
    chain.append(event(1))
    for file in (tmp_path / "audit.pem", tmp_path / "anchor" / "audit.jsonl"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "anchor").stat().st_mode) == 0o700


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: made_at_first_start(tmp_path / "audit.pem"), range(8)))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_key_that_is_none_is_refused_without_being_told(tmp_path: Path) -> None:
    (tmp_path / "audit.pem").write_text("s3cret")
    with pytest.raises(PermanentError, match="no Ed25519 private key") as refused:
        audit_key(Secrets(), f"file:{tmp_path}/audit.pem")()
    assert "s3cret" not in json.dumps([str(refused.value), repr(refused.value.__cause__)])
