"""The records, on a real SQLite and a real PostgreSQL alike."""

import contextlib
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from activities.claims import Claims
from activities.integrations.sql import SqlRecords, engine, engine_for, schema, upgrade
from activities.integrations.sql import records as sql_records
from activities.integrations.sql.schema import MIGRATIONS
from activities.integrations.sql.tables import claims, metadata, outcomes
from activities.records import PastRollback, Records
from rollback_manager.claim import Purpose
from rollback_manager.decision.calibration import CalibrationReport
from rollback_manager.decision.engine import decide
from rollback_manager.decision.ledger import Entry, Label, Truth
from rollback_manager.decision.model import DecisionModel
from rollback_manager.errors import NotFound, PermanentError, Unreachable
from rollback_manager.frozen import ConfigMap, Frozen
from rollback_manager.incidents.incident import Incident, join
from rollback_manager.progress import EndState, Found, ServiceOutcome
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from rollback_manager.watch.warm_up import BINS, Compared, WarmedUp
from tests.incidents import POLICY, analysis_facts, evidence, facts

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
FIRST_TABLES = {"releases", "epochs", "claims", "outcomes"}
ROLLBACK = "rollback/prod/checkout-is-down"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records/records.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    opened = engine_for(url)
    yield opened
    opened.dispose()


@pytest.fixture
def records(database: Engine) -> SqlRecords:
    upgrade(database)
    return SqlRecords(database)


def release(version: str, recorded_at: datetime = NOON, **more: object) -> Release:
    facts = {"digest": f"sha256:{version}", "recorded_by": "ci", **more}
    return Release.model_validate({"version": version, "recorded_at": recorded_at, **facts})


def baseline(requests: int = 1000) -> Baseline:
    return Baseline(
        requests=requests,
        error_ratio=0.001,
        latency_p95_ms=12.5,
        requests_per_s=40,
        window_s=25,
        taken_at=NOON,
    )


def outcome(service: str = "shop", because: str = "users are well") -> ServiceOutcome:
    found = Found(shares={"v1": 100}, ready={"v1": 4, "v2": 0})
    return ServiceOutcome(
        service=service, end=EndState.ROLLED_BACK, verified=True, because=because, found=found
    )


def past(finished_at: datetime = NOON, verified_s: float | None = 61.5) -> PastRollback:
    return PastRollback(
        strategy="blue_green",
        verified=verified_s is not None,
        traffic_back_s=0.4,
        verified_s=verified_s,
        finished_at=finished_at,
    )


# Releases


def test_sql_records_are_records(records: SqlRecords) -> None:
    role: Records = records
    assert role.releases("prod", "shop") == []


def test_a_release_comes_back_as_it_was_saved(records: SqlRecords) -> None:
    point = RestorePoint(digest="sha256:v1", instances=4, shares={"v1": 100}, taken_at=NOON)
    saved = release(
        "v1",
        standing=Standing.VERIFIED,
        because="60 s without an error",
        restore_point=point,
        baseline=baseline(),
    )
    records.save_release("prod", "shop", saved)
    assert records.releases("prod", "shop") == [saved]


def test_releases_come_newest_first_whatever_their_zone(records: SqlRecords) -> None:
    east = timezone(timedelta(hours=9))
    records.save_release("prod", "shop", release("old", NOON))
    records.save_release("prod", "shop", release("new", (NOON + timedelta(hours=1))))
    records.save_release("prod", "shop", release("oldest", datetime(2026, 5, 1, 20, tzinfo=east)))
    found = records.releases("prod", "shop")
    assert [one.version for one in found] == ["new", "old", "oldest"]
    assert all(one.recorded_at.tzinfo is UTC for one in found)


def test_a_time_without_a_zone_is_refused(records: SqlRecords) -> None:
    with pytest.raises(PermanentError):
        records.save_release("prod", "shop", release("v1", datetime(2026, 5, 1, 12)))  # noqa: DTZ001


def test_releases_of_other_environments_and_services_are_not_shown(records: SqlRecords) -> None:
    records.save_release("prod", "shop", release("v1"))
    records.save_release("staging", "shop", release("v2"))
    records.save_release("prod", "search", release("v3"))
    assert [one.version for one in records.releases("prod", "shop")] == ["v1"]


def test_young_releases_come_by_service_with_those_that_they_replaced(
    records: SqlRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_records, "MOST_YOUNG", 3)
    for day in range(5):
        records.save_release("prod", "shop", release(f"v{day}", NOON + timedelta(days=day)))
    records.save_release("prod", "search", release("v9", NOON))
    records.save_release("staging", "shop", release("v7", NOON + timedelta(days=9)))
    since = NOON + timedelta(days=4)
    found = records.young("prod", since)
    assert {name: [one.version for one in row] for name, row in found.items()} == {
        "shop": ["v4", "v3", "v2"]
    }
    assert found["shop"][0] == release("v4", since)


def test_numbers_are_kept_by_the_minute_and_old_ones_forgotten(records: SqlRecords) -> None:
    minutes = [NOON + timedelta(minutes=minute) for minute in range(4)]
    records.keep_numbers("prod", "shop", "orders", {minutes[0]: 1.5, minutes[1]: 2}, minutes[0])
    records.keep_numbers("prod", "shop", "refunds", {minutes[0]: 7}, minutes[0])
    records.keep_numbers("prod", "search", "orders", {minutes[0]: 8}, minutes[0])
    records.keep_numbers("prod", "shop", "orders", {minutes[1]: 3, minutes[2]: 4}, minutes[1])
    assert records.numbers("prod", "shop", "orders", NOON) == {minutes[1]: 3, minutes[2]: 4}
    assert records.numbers("prod", "shop", "orders", minutes[2]) == {minutes[2]: 4}
    assert records.numbers("prod", "shop", "refunds", NOON) == {minutes[0]: 7}
    assert records.numbers("prod", "search", "orders", NOON) == {minutes[0]: 8}
    assert records.numbers("staging", "shop", "orders", NOON) == {}


def warmed_up(service: str, version: str, hits: float = 1) -> WarmedUp:
    row = (hits,) * BINS
    counted = Compared(hits=row, tries=row, control_hits=row, control_tries=row)
    return WarmedUp(service=service, version=version, errors=counted, slow=counted)


def test_warm_ups_are_those_of_recorded_releases_that_are_not_bad(records: SqlRecords) -> None:
    for version, standing in (("v1", Standing.VERIFIED), ("v2", Standing.BAD)):
        records.save_release("prod", "shop", release(version, standing=standing))
    records.save_release("prod", "search", release("v1"))
    for service, version in (("shop", "v1"), ("shop", "v2"), ("shop", "v3"), ("search", "v1")):
        records.save_warm_up("prod", warmed_up(service, version))
    records.save_warm_up("prod", warmed_up("search", "v1", hits=2))
    records.save_warm_up("staging", warmed_up("shop", "v1"))
    assert records.good_warm_ups("prod") == [warmed_up("search", "v1", 2), warmed_up("shop", "v1")]


def test_the_same_version_again_replaces_all_that_was_recorded(records: SqlRecords) -> None:
    marked = release("v1", standing=Standing.BAD, because="5xx", baseline=baseline())
    records.save_release("prod", "shop", marked)
    records.save_release("prod", "shop", release("v1", NOON + timedelta(days=1)))
    assert records.releases("prod", "shop") == [release("v1", NOON + timedelta(days=1))]


def test_marking_changes_the_standing_and_keeps_the_baseline(records: SqlRecords) -> None:
    records.save_release("prod", "shop", release("v1", baseline=baseline()))
    records.mark_release("prod", "shop", "v1", Standing.BAD, "rolled back", None)
    (marked,) = records.releases("prod", "shop")
    assert (marked.standing, marked.because) == (Standing.BAD, "rolled back")
    assert marked.baseline == baseline()


def test_marking_with_a_baseline_replaces_it(records: SqlRecords) -> None:
    records.save_release("prod", "shop", release("v1", baseline=baseline(1)))
    records.mark_release("prod", "shop", "v1", Standing.VERIFIED, "measured", baseline(2))
    assert records.releases("prod", "shop")[0].baseline == baseline(2)


def test_marking_an_unknown_version_names_those_recorded(records: SqlRecords) -> None:
    records.save_release("prod", "shop", release("v1"))
    records.save_release("prod", "shop", release("v2"))
    with pytest.raises(NotFound, match=r"no release v3 of shop .* recorded: v1, v2"):
        records.mark_release("prod", "shop", "v3", Standing.BAD, "", None)
    assert {one.standing for one in records.releases("prod", "shop")} == {Standing.CANDIDATE}


# Epochs and claims


def test_epochs_of_a_service_rise_by_one_from_one(records: SqlRecords) -> None:
    assert [records.claim("prod", "shop", f"rollback/prod/{n}") for n in range(3)] == [1, 2, 3]


def test_each_service_and_environment_has_epochs_of_its_own(records: SqlRecords) -> None:
    records.claim("prod", "shop", ROLLBACK)
    assert records.claim("prod", "search", ROLLBACK) == 1
    assert records.claim("staging", "shop", ROLLBACK) == 1


def test_the_same_rollback_again_gets_a_higher_epoch_and_keeps_one_claim(
    records: SqlRecords, database: Engine
) -> None:
    epochs = [records.claim("prod", "shop", ROLLBACK) for _ in range(3)]
    with database.connect() as connection:
        rows = connection.execute(select(claims)).all()
    assert epochs == [1, 2, 3]
    assert [(row.rollback, row.epoch) for row in rows] == [(ROLLBACK, 3)]


def test_50_claims_at_once_get_50_distinct_epochs(records: SqlRecords) -> None:
    with ThreadPoolExecutor(50) as pool:
        ids = [f"rollback/prod/{n % 7}" for n in range(50)]
        epochs = list(pool.map(lambda one: records.claim("prod", "shop", one), ids))
    assert sorted(epochs) == list(range(1, 51))


def test_whoever_claims_later_gets_the_higher_epoch(records: SqlRecords) -> None:
    def claims_in_a_row(rollback: str) -> list[int]:
        return [records.claim("prod", "shop", rollback) for _ in range(10)]

    with ThreadPoolExecutor(5) as pool:
        rows = list(pool.map(claims_in_a_row, "abcde"))
    assert all(row == sorted(row) for row in rows)
    assert sorted(epoch for row in rows for epoch in row) == list(range(1, 51))


PURPOSE = Purpose(from_version="v2", to_version="v1", strategy="blue_green", digest="a" * 64)


def test_a_claim_says_who_holds_what_since_when_and_for_which_purpose(records: SqlRecords) -> None:
    role: Claims = records
    before = datetime.now(UTC)
    role.claim("prod", "shop", ROLLBACK, PURPOSE)
    role.claim("prod", "search", "rollback/prod/other")
    role.claim("staging", "shop", "rollback/staging/other")
    (claim,) = role.claims("prod", "shop")
    assert (claim.env, claim.service, claim.rollback, claim.epoch) == ("prod", "shop", ROLLBACK, 1)
    assert claim.purpose == PURPOSE
    assert before <= claim.claimed_at <= datetime.now(UTC)
    assert [one.service for one in role.claims("prod")] == ["search", "shop"]
    assert role.claims("moon") == []


def test_the_same_rollback_again_says_what_it_does_now(records: SqlRecords) -> None:
    other = PURPOSE.model_copy(update={"to_version": "v0"})
    records.claim("prod", "shop", ROLLBACK, PURPOSE)
    records.claim("prod", "shop", ROLLBACK, other)
    assert [claim.purpose for claim in records.claims("prod", "shop")] == [other]


@pytest.mark.parametrize(("above", "drawn"), [(0, 2), (1, 2), (2, 3), (7, 8)])
def test_an_epoch_is_drawn_above_the_one_that_a_target_carries(
    records: SqlRecords, above: int, drawn: int
) -> None:
    records.claim("prod", "shop", ROLLBACK)
    assert records.claim("prod", "shop", ROLLBACK, PURPOSE, above) == drawn
    assert records.claim("prod", "shop", ROLLBACK) == drawn + 1


def test_also_the_first_epoch_is_drawn_above_it(records: SqlRecords) -> None:
    assert records.claim("prod", "shop", ROLLBACK, PURPOSE, 7) == 8


def test_the_close_of_an_adopter_ends_all_older_claims_of_that_service_alone(
    records: SqlRecords,
) -> None:
    for service in ("shop", "search"):
        records.claim("prod", service, ROLLBACK)
        records.claim("prod", service, "rollback/prod/adopter")
    records.claim("prod", "shop", "rollback/prod/newer")
    adopter = outcome().model_copy(update={"adopted": ROLLBACK, "epoch": 2})
    records.close("prod", "rollback/prod/adopter", adopter, past())
    assert [one.rollback for one in records.claims("prod", "shop")] == ["rollback/prod/newer"]
    assert len(records.claims("prod", "search")) == 2


def test_the_close_of_any_other_rollback_ends_its_own_claim_alone(records: SqlRecords) -> None:
    records.claim("prod", "shop", ROLLBACK)
    records.claim("prod", "shop", "rollback/prod/next")
    closing = outcome().model_copy(update={"epoch": 2})
    records.close("prod", "rollback/prod/next", closing, past())
    assert [one.rollback for one in records.claims("prod", "shop")] == [ROLLBACK]


# Outcomes


def test_closing_keeps_the_outcome_and_gives_the_claim_back(
    records: SqlRecords, database: Engine
) -> None:
    records.claim("prod", "shop", ROLLBACK)
    records.claim("prod", "search", ROLLBACK)
    records.close("prod", ROLLBACK, outcome(), past())
    with database.connect() as connection:
        assert [row.service for row in connection.execute(select(claims))] == ["search"]
        kept = connection.execute(select(outcomes)).one()
    assert ServiceOutcome.model_validate_json(kept.outcome) == outcome()


def test_closing_again_is_harmless_and_keeps_the_last_word(records: SqlRecords) -> None:
    records.close("prod", ROLLBACK, outcome(because="first"), past(verified_s=None))
    records.close("prod", ROLLBACK, outcome(because="second"), past(verified_s=3.5))
    assert records.past("prod", "shop") == [past(verified_s=3.5)]


def test_closing_does_not_bring_epochs_back(records: SqlRecords) -> None:
    records.claim("prod", "shop", ROLLBACK)
    records.close("prod", ROLLBACK, outcome(), past())
    assert records.claim("prod", "shop", "rollback/prod/next") == 2


def test_past_rollbacks_come_newest_first_and_at_most_100(records: SqlRecords) -> None:
    for number in range(102):
        at = NOON + timedelta(minutes=number)
        records.close("prod", f"rollback/prod/{number}", outcome(), past(at))
    records.close("prod", "rollback/prod/search", outcome("search"), past())
    found = records.past("prod", "shop")
    assert len(found) == 100
    assert found[0] == past(NOON + timedelta(minutes=101))
    assert found[-1] == past(NOON + timedelta(minutes=2))


# The tables


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(
    records: SqlRecords, database: Engine
) -> None:
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_claim_of_an_older_build_is_kept_and_does_not_say_its_purpose(
    records: SqlRecords, database: Engine
) -> None:
    records.claim("prod", "shop", ROLLBACK, PURPOSE)
    with database.begin() as connection:
        for name in Purpose.model_fields:
            connection.execute(text(f"ALTER TABLE claims DROP COLUMN {name}"))
        for name in metadata.tables.keys() - FIRST_TABLES:  # they came later than those columns
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    upgrade(database)
    (claim,) = records.claims("prod", "shop")
    assert (claim.rollback, claim.epoch, claim.purpose) == (ROLLBACK, 1, Purpose())


def test_upgrading_again_changes_nothing(records: SqlRecords, database: Engine) -> None:
    records.save_release("prod", "shop", release("v1"))
    upgrade(database)
    assert records.releases("prod", "shop") == [release("v1")]


def test_processes_that_start_at_once_take_turns_with_the_upgrade(url: str) -> None:
    with starting(url) as started:
        assert claimed(started) == ["1", "2", "3"]


def test_processes_wait_for_whoever_holds_a_new_file_when_they_open_it(tmp_path: Path) -> None:
    """So does another process, for a moment, that opens it for the first time as well."""
    file = tmp_path / "records.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with starting(f"sqlite:///{file}") as started:
            for process in started:
                assert process.stdout is not None
                assert process.stdout.readline() == "opening\n"
            time.sleep(0.3)
            assert [process.poll() for process in started] == [None] * 3
            other.execute("ROLLBACK")
            assert claimed(started) == ["1", "2", "3"]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@contextlib.contextmanager
def starting(url: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes of three workers that open the records, bring them up to date and claim."""
    code = (
        "import sys; from activities.integrations.sql import *;"
        "print('opening', flush=True);"
        "database = engine_for(sys.argv[1]); upgrade(database);"
        "print(SqlRecords(database).claim('prod', 'shop', 'x'))"
    )
    with contextlib.ExitStack() as ends:
        started = []
        for _ in range(3):
            process = subprocess.Popen(
                [sys.executable, "-c", code, url],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.append(ends.enter_context(process))
            ends.callback(process.kill)
        yield started


def claimed(started: list[subprocess.Popen[str]]) -> list[str]:
    said = [process.communicate(timeout=60)[0] for process in started]
    return sorted(one.removeprefix("opening\n").strip() for one in said)


def test_a_new_file_that_stays_locked_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ANSWER_MS", 50)
    holder = sqlite3.connect(tmp_path / "records.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database = engine_for(f"sqlite:///{tmp_path}/records.db")
    with pytest.raises(Unreachable, match="locked"):
        upgrade(database)
    holder.close()
    database.dispose()


def test_an_upgrade_waits_for_whoever_writes_before_it_looks(tmp_path: Path) -> None:
    file = tmp_path / "records.db"
    database = engine_for(f"sqlite:///{file}")
    database.connect().close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE something (it)")
    with ThreadPoolExecutor(1) as pool:
        upgrading = pool.submit(upgrade, database)
        assert not done_within(0.2, upgrading)
        other.execute("COMMIT")
        upgrading.result()
    other.close()
    database.dispose()


def test_an_upgrade_of_postgresql_waits_for_its_lock(postgres_url: str) -> None:
    database, other = engine_for(postgres_url), engine_for(postgres_url)
    with ThreadPoolExecutor(1) as pool:
        with other.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:it)"), {"it": schema.LOCK})
            upgrading = pool.submit(upgrade, database)
            assert not done_within(0.2, upgrading)
        upgrading.result()
    database.dispose()
    other.dispose()


def done_within(timeout_s: float, future: Future[None]) -> bool:
    return bool(wait([future], timeout_s).done)


def test_tables_of_a_newer_build_are_refused(records: SqlRecords, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PermanentError, match="9999"):
        upgrade(database)


def test_missing_tables_are_a_permanent_error(database: Engine) -> None:
    with pytest.raises(PermanentError, match="refused") as caught:
        SqlRecords(database).claim("prod", "shop", ROLLBACK)
    assert isinstance(caught.value.__cause__, DBAPIError)


def test_a_record_that_this_build_cannot_read_is_a_permanent_error(
    records: SqlRecords, database: Engine
) -> None:
    records.save_release("prod", "shop", release("v1"))
    with database.begin() as connection:
        connection.execute(text("UPDATE releases SET standing = 'sideways'"))
    with pytest.raises(PermanentError, match="cannot be read by this build"):
        records.releases("prod", "shop")


# Outages and addresses


def test_a_postgresql_that_is_not_there_is_unreachable() -> None:
    records = SqlRecords(engine_for("postgres://rollback:s3cret@127.0.0.1:1/records"))
    with pytest.raises(Unreachable) as caught:
        records.claim("prod", "shop", ROLLBACK)
    assert isinstance(caught.value.__cause__, OperationalError)
    assert "s3cret" not in str(caught.value)


def test_a_password_beside_the_address_is_not_told_either() -> None:
    where = "postgresql://rollback@127.0.0.1:1/records?password=s3cret&sslmode=disable"
    with pytest.raises(Unreachable, match="sslmode=disable") as caught:
        SqlRecords(engine_for(where)).claim("prod", "shop", ROLLBACK)
    assert "s3cret" not in str(caught.value)


def decided(service: str, minute: int, version: str = "v2") -> Entry:
    """A decision about a release of that service, at that minute after noon."""
    at = NOON + timedelta(minutes=minute)
    known = facts().model_copy(
        update={
            "incident": Incident(env="prod", service=service, version=version, detected_at=NOON),
            "now": at,
        }
    )
    return Entry(
        analysed_from=analysis_facts(), facts=known, policy=POLICY, decision=decide(known, POLICY)
    )


def label(truth: Truth, note: str = "") -> Label:
    return Label(truth=truth, by="anna", at=NOON, note=note)


def test_decisions_are_kept_whole_and_read_oldest_first(records: SqlRecords) -> None:
    entries = [decided("shop", 1), decided("cart", 2), decided("shop", 3)]
    for entry in reversed(entries):
        records.keep_decision("prod", entry.facts.incident.service, entry)
        records.keep_decision("prod", entry.facts.incident.service, entry)
    records.keep_decision("other", "shop", decided("shop", 4))
    assert records.decisions("prod") == entries
    assert records.decisions("prod", "shop") == [entries[0], entries[2]]
    assert records.decisions("prod", most=2) == entries[1:], "the newest ones"
    assert records.decisions_kept("prod") == (3, 0)
    assert records.decisions_kept("prod", "cart") == (1, 0)


def test_a_judgement_that_is_tried_again_is_kept_once_with_its_label(records: SqlRecords) -> None:
    def tried(minute: int, judgement: str = "noon 1") -> Entry:
        return decided("shop", minute).model_copy(update={"judgement": judgement})

    records.keep_decision("prod", "shop", tried(1))
    said = label(Truth.FALSE)
    records.label_decision("prod", tried(1).decision.incident, said)
    records.keep_decision("prod", "shop", tried(2))
    (only,) = records.decisions("prod")
    assert only == tried(2).model_copy(update={"label": said}), "what the incident was told counts"
    records.keep_decision("prod", "shop", tried(1))
    assert records.decisions("prod") == [only], "an attempt that was given up comes late"
    records.keep_decision("prod", "shop", tried(3, "noon 2"))
    assert len(records.decisions("prod")) == 2, "another judgement is another row"


def test_decisions_of_an_older_build_are_kept_each_by_its_moment(
    records: SqlRecords, database: Engine
) -> None:
    entries = [decided("shop", 1), decided("shop", 2), decided("cart", 2)]
    for entry in entries[:2]:
        records.keep_decision("prod", "shop", entry)
    records.keep_decision("prod", "cart", entries[2])
    migrated(database, command.downgrade, "0005")
    upgrade(database)
    assert len(records.decisions("prod")) == 3
    assert records.decisions("prod", "shop") == entries[:2]


def migrated(database: Engine, towards: Callable[[Config, str], None], revision: str) -> None:
    """As `upgrade` does it, the other way."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        towards(config, revision)


def test_a_label_is_on_the_newest_decision_of_its_incident_alone(records: SqlRecords) -> None:
    first, second, other = decided("shop", 1), decided("shop", 2), decided("shop", 1, "v1")
    for entry in (first, other):
        records.keep_decision("prod", "shop", entry)
    name = first.decision.incident
    records.label_decision("prod", name, label(Truth.TRUE))
    records.keep_decision("prod", "shop", second)
    told = records.label_decision("prod", name, label(Truth.FALSE, "the load test"))
    assert told == second.model_copy(update={"label": label(Truth.FALSE, "the load test")})
    assert records.decisions("prod", labelled=True) == [told]
    assert records.decisions_kept("prod") == (3, 1)
    records.keep_decision("prod", "shop", second)
    assert records.decisions("prod", labelled=True) == [told], "kept again, it keeps its label"


def test_past_alarms_are_those_of_the_first_and_the_last_judgement(records: SqlRecords) -> None:
    def judged(service: str, minute: int, nats: float) -> Entry:
        made = decided(service, minute)
        grown = join(made.facts.incident, evidence(nats=nats))
        grounds = made.facts.model_copy(update={"incident": grown})
        return made.model_copy(update={"facts": grounds})

    for minute, nats in ((1, 4.0), (2, 8.0), (3, 30.0)):
        records.keep_decision("prod", "shop", judged("shop", minute, nats))
    for minute in (4, 5):
        records.keep_decision("prod", "cart", judged("cart", minute, 5.0))
    assert records.past_alarms("prod", 9) == [], "nothing is labelled"
    records.label_decision("prod", "incident/prod/shop/v2", label(Truth.FALSE))
    records.label_decision("prod", "incident/prod/cart/v2", label(Truth.TRUE))
    found = records.past_alarms("prod", 9)
    assert sorted((one.service, one.nats, one.false) for one in found) == [
        ("cart", 5.0, False),
        ("cart", 5.0, False),
        ("shop", 4.0, True),
        ("shop", 30.0, True),
    ]
    assert {one.service for one in records.past_alarms("prod", 1)} == {"cart"}, "the newest"
    assert records.past_alarms("other", 9) == []


def test_a_judgement_that_cannot_be_read_is_left_out_of_past_alarms_and_counted(
    records: SqlRecords, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    for service in ("shop", "cart"):
        made = decided(service, 1)
        grown = join(made.facts.incident, evidence(nats=5.0))
        grounds = made.facts.model_copy(update={"incident": grown})
        records.keep_decision("prod", service, made.model_copy(update={"facts": grounds}))
        records.label_decision("prod", f"incident/prod/{service}/v2", label(Truth.FALSE))
    with database.begin() as connection:
        connection.execute(text("UPDATE decisions SET entry = '{}' WHERE service = 'shop'"))
    assert [one.service for one in records.past_alarms("prod", 9)] == ["cart"]
    assert "1 of 2 labelled judgements cannot be read" in caplog.text


def model(intercept: float = 0.5) -> DecisionModel:
    told = CalibrationReport(bins=(), expected_error=0.04, count=60)
    return DecisionModel(intercept=intercept, coefficients=(), labels=60, bad=40, report=told)


def test_models_are_numbered_and_one_at_most_is_in_use(records: SqlRecords) -> None:
    assert records.model_in_use("prod") is None
    first = records.keep_model("prod", model(0.5))
    second = records.keep_model("prod", model(0.7))
    assert (first.version, second.version) == (1, 2)
    assert records.model_in_use("prod") == second
    records.use_model("prod", 1)
    assert records.model_in_use("prod") == first
    records.use_model("prod", 0)
    assert records.model_in_use("prod") is None
    assert records.keep_model("other", model(0.7)).version == 1
    with pytest.raises(NotFound, match="no model 3 is kept in prod; kept: 1, 2"):
        records.use_model("prod", 3)


def test_a_model_that_is_kept_again_stays_one(records: SqlRecords) -> None:
    later = {"trained_at": NOON, "trained_by": "anna"}
    first = records.keep_model("prod", model())
    records.use_model("prod", 0)
    assert records.keep_model("prod", model().model_copy(update=later)) == first
    assert records.model_in_use("prod") == first


def test_what_was_never_decided_cannot_be_labelled(records: SqlRecords) -> None:
    with pytest.raises(NotFound, match="no decision about incident/prod/shop/v7"):
        records.label_decision("prod", "incident/prod/shop/v7", label(Truth.TRUE))


def test_connections_that_the_server_ended_are_replaced_unnoticed(postgres_url: str) -> None:
    database = engine_for(postgres_url)
    upgrade(database)
    records = SqlRecords(database)
    records.claim("prod", "shop", ROLLBACK)
    other = engine_for(postgres_url)
    with other.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert records.claim("prod", "shop", ROLLBACK) == 2
    database.dispose()
    other.dispose()


def test_a_sqlite_that_stays_locked_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ANSWER_MS", 50)
    database = engine_for(f"sqlite:///{tmp_path}/records.db")
    upgrade(database)
    holder = sqlite3.connect(tmp_path / "records.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unreachable, match="locked"):
        SqlRecords(database).claim("prod", "shop", ROLLBACK)
    assert SqlRecords(database).releases("prod", "shop") == []  # who reads need not wait
    holder.execute("ROLLBACK")
    holder.close()
    assert SqlRecords(database).claim("prod", "shop", ROLLBACK) == 1
    database.dispose()


def test_the_file_of_sqlite_is_for_this_user_alone(tmp_path: Path) -> None:
    database = engine_for(f"sqlite:///{tmp_path}/records/records.db")
    upgrade(database)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    database.dispose()
    assert modes.pop("records") == 0o700
    assert "records.db-wal" in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://root@db/records", "known: sqlite, postgresql"),
        ("not a url with s3cret in it", "is not a database URL"),
        ("postgresql://ro:x@s3cret@db/records", "is not a database URL"),
        ("postgresql://ro:x@y:s3cret@db/records", "is not a database URL"),
        ("postgresql://ro@x/s3cret@db/records", "is not a database URL"),
        ("postgresql://ro:s3cret@[::1/records", "is not a database URL"),
        ("sqlite://", "name a file"),
        ("sqlite:////dev/null/records/records.db", "cannot be kept in"),
    ],
)
def test_an_address_that_cannot_keep_records_is_refused(address: str, said: str) -> None:
    with pytest.raises(PermanentError, match=said) as caught:
        engine_for(address)
    assert "s3cret" not in str(caught.value)


def test_what_was_frozen_is_kept_once_by_its_content(records: SqlRecords) -> None:
    one = ConfigMap.of("shop", {"mode": "fast"}, {}, immutable=False)
    point = Frozen(version="v1", config_maps=(one,))
    digest = records.keep_frozen("prod", "shop", point)
    assert records.keep_frozen("prod", "shop", Frozen(version="v1", config_maps=(one,))) == digest
    assert records.frozen("prod", "shop", digest) == point
    assert records.frozen("prod", "other", digest) is None
    assert records.keep_frozen("prod", "shop", Frozen(version="v1")) != digest
