"""27 secrets that the process has read, planted where texts of others come in: none comes out.

Each stands for a way in: what a library says of a connection, what an answer has in its body, what
a person pastes. The ways out are all that is left of a rollback, and all that people are shown of
it: every channel of chat, mail and hooks, every page, every answer of the API.
"""

import io
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url
from temporalio.client import Client

from activities.audit_key import audit_key, made_at_first_start
from activities.bearer import token_of
from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for, upgrade
from activities.secrets import Secrets
from proof.converting import data_converter
from rollback_manager.audit.exported import line_of
from rollback_manager.client.converter import VEILED
from rollback_manager.veil import Veil
from tests import encrypted, keys
from tests.canaries import Canaries, of_folder
from tests.canary_site import WHERE, WORD, Site, log, raised
from tests.surfaces import Audience, audience
from tests.workers.test_telemetry import receiving
from workers.telemetry import set_up, set_up_logs


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Canaries:
    """All of them are secrets that this process reads, by reference, from where they really are."""
    made = Canaries()
    file = tmp_path / "secrets" / "token"
    file.parent.mkdir()
    for number, where in enumerate(WHERE):
        if number % 2:
            file.write_text(made[where])
            assert token_of(f"file:{file}") == made[where]
        else:
            monkeypatch.setenv(f"PLANTED_{number}", made[where])
            assert Secrets().resolve(f"env:PLANTED_{number}") == made[where]
    file.unlink()
    file.parent.rmdir()
    return made


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the product's own logging says; pytest's is back afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    for handler in before:
        root.removeHandler(handler)
    set_up_logs(as_json=True)
    (ours,) = root.handlers
    assert isinstance(ours, logging.StreamHandler)
    told = io.StringIO()
    ours.setStream(told)
    yield told
    root.handlers[:] = before
    root.setLevel(level)


def log_a_stack(planted: Canaries) -> None:
    cause = raised(OSError(planted["its own cause"]))
    log.error("it failed", exc_info=raised(ValueError(planted["log of a stack"]), cause))


def dump(url: str) -> bytes:
    """Every row of every table, as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [
            row[0]
            for (table,) in tables.fetchall()
            for row in connection.execute(SQL("SELECT t::text FROM {} t").format(Identifier(table)))
        ]
    assert rows
    return "\n".join(rows).encode()


@pytest.fixture
def chain(planted: Canaries, postgres_url: str, tmp_path: Path) -> Iterator[SqlAudit]:
    """On PostgreSQL, by a URL with passwords; its key and the codec's are read, and then gone."""
    url = make_url(postgres_url).set(password=planted["password of the records"])
    spelled = url.update_query_dict({"sslpassword": planted["another password in their URL"]})
    engine = engine_for(spelled.render_as_string(hide_password=False))
    upgrade(engine)
    private = tmp_path / "private"
    private.mkdir()
    secrets, reference = Secrets(), made_at_first_start(private / "audit.pem")
    planted.planted["the audit's private key"] = (private / "audit.pem").read_text().split()[3]
    planted.planted["a key of the codec"] = keys.OLD
    keys.ring(keys.write(private / "codec.json"))
    key = audit_key(secrets, reference)()
    for file in private.iterdir():
        file.unlink()
    yield SqlAudit(engine, lambda: key, AnchorFile(tmp_path / "anchor" / "audit.jsonl"))
    engine.dispose()


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Audience]:
    with audience(tmp_path, monkeypatch.setenv) as one:
        yield one


@pytest.fixture
async def site(
    client: Client,
    tmp_path: Path,
    postgres_url: str,
    planted: Canaries,
    chain: SqlAudit,
    people: Audience,
    logged: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Awaitable[Site]]:
    """What rolls back once and then has all that is left of it."""

    async def rolled_back() -> Site:
        config = client.config(active_config=True)
        config["data_converter"] = data_converter() if encrypted.is_on() else VEILED
        site = Site(Client(**config), tmp_path, planted, people)
        with receiving() as receiver:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
            telemetry = set_up()
            await site.roll_back(chain, telemetry)
            telemetry.flush()
        log_a_stack(planted)
        printed = capfd.readouterr()
        site.surfaces |= {path: b"".join(bodies) for path, bodies in receiver.bodies.items()}
        site.surfaces |= {"log": logged.getvalue(), "dump": dump(postgres_url)}
        site.surfaces |= {"stdout": printed.out, "stderr": printed.err}
        site.surfaces["export of the chain"] = "".join(map(line_of, chain.entries()))
        site.surfaces |= of_folder(tmp_path)
        site.surfaces |= people.surfaces()
        return site

    return rolled_back


TOLD = (
    "waiting: /{id}", "waiting: /{id}/report", "waiting: /{incident}", "waiting: /api/v1/{id}",
    "waiting: /api/v1/{id}/report", "waiting: /api/v1/{incident}", "ended: /{id}",
    "ended: /{id}/report", "ended: /{id}/report.html", "ended: /{id}/report.md",
    "ended: /{id}/report.json", "ended: /api/v1/{id}", "ended: /api/v1/{id}/report",
    "event stream", "chat: bodies", "chat: messages", "other channels", "mail",
)  # fmt: skip
"""Surfaces that repeat why somebody asked for the rollback."""
REPEATED = (
    *TOLD, "chat: answers", "chat: ephemeral", "ended: /services/test/{service}",
    "ended: /{id}/live", "away: /{id}", "away: /{id}/live", "away: /{id}/approve",
    "away: /api/v1/{id}", "export of the chain",
)  # fmt: skip
"""Surfaces on which a secret of somebody would be read, were there no veil."""


async def test_of_27_planted_secrets_none_is_found_anywhere(
    site: Callable[[], Awaitable[Site]],
) -> None:
    made = await site()
    assert len(made.planted.planted) == 27
    assert made.planted.found_in(made.surfaces) == {}
    hidden = {name for name, text in made.surfaces.items() if "***" in str(text)}
    assert {"log", "dump", "/v1/traces", "records.sqlite"} <= hidden
    assert encrypted.is_on() or "history 1" in hidden
    assert made.shown(REPEATED) <= hidden
    looked = Canaries()
    looked.planted["no secret"] = WORD
    found = set(looked.found_in(made.surfaces)["no secret"])
    assert made.shown(TOLD) <= found
    assert ("history 0" in found) is not encrypted.is_on()


@pytest.mark.long
async def test_without_the_veil_they_are_found_on_every_surface(
    site: Callable[[], Awaitable[Site]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Veil, "over", lambda _, text: text)
    monkeypatch.setattr(Veil, "over_data", lambda _, data: data)
    made = await site()
    leaking = {name for names in made.planted.found_in(made.surfaces).values() for name in names}
    assert made.shown(REPEATED) <= leaking
