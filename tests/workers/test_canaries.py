"""25 secrets that the worker has read, planted where texts of others come in: none comes out.

Each stands for a way in: what a library says of a connection, what an answer has in its body, what
a person pastes. The ways out are all that is left of a rollback; chat and pages have tests of their
own.
"""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
from proof.stand_ins import StandInService
from rollback_manager.audit.exported import line_of
from rollback_manager.client.converter import VEILED
from rollback_manager.contract import MarkRelease, PauseCommand, ReleaseRequest
from rollback_manager.errors import TemporaryError, Unreachable
from rollback_manager.progress import Result, State
from rollback_manager.release import Standing
from rollback_manager.rendering import html, markdown
from rollback_manager.report import build
from rollback_manager.verification import Verdict
from starters.history import entries
from tests import keys, rig
from tests.canaries import Canaries, Surface, of_folder, of_history
from tests.rig import Rig
from tests.workers.test_telemetry import receiving
from workers.telemetry import Telemetry, set_up, set_up_logs
from workers.worker import make_worker

log = logging.getLogger("a library of somebody else")


@dataclass
class Leaking(StandInService):
    """A stand-in whose every answer repeats a secret, as real ones do when asked wrongly."""

    planted: Canaries = field(default_factory=Canaries)
    errors: list[Exception] = field(default_factory=list)

    def set_shares(self, *arguments: object, **more: object) -> None:
        log.warning("retrying %s", self.planted["argument of a log line"])
        log.warning("retrying", extra={"url": self.planted["fact of a log line"]})
        if self.errors:
            raise self.errors.pop()
        super().set_shares(*arguments, **more)  # type: ignore[arg-type] # as they came

    def run(self) -> tuple[Verdict, ...]:
        (passed,) = super().run()
        said = f"200; Set-Cookie: {self.planted['header of an answer']}"
        return (passed.model_copy(update={"because": said}),)

    def by_hand(self, *_: object) -> tuple[str, ...]:
        return (f"curl -u admin:{self.planted['command for people']} http://envoy",)


def raised(what: Exception, cause: Exception | None = None) -> Exception:
    """With a stack and a cause, as it comes out of a library."""
    try:
        raise what from cause
    except Exception as error:  # noqa: BLE001 -- whatever it is
        return error


def errors(planted: Canaries) -> list[Exception]:
    """What four attempts fail with."""
    sql = f"SELECT 1 -- {planted['statement in an exception']}"
    return [
        raised(Unreachable(f"401 for Bearer {planted['header in our error']}", effect="None.")),
        raised(
            TemporaryError(
                "try later",
                effect=planted["effect of our error"],
                next_step=planted["next step of our error"],
            ),
            ConnectionError(f"POST https://hooks.example/{planted['webhook URL']}"),
        ),
        raised(ValueError(planted["exception of a library"]), KeyError(planted["its cause"])),
        raised(RuntimeError(f"{sql} {planted['label of a metric']}{{}}")),
    ]


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


WHERE = (
    "argument of a log line", "fact of a log line", "header of an answer", "command for people",
    "statement in an exception", "header in our error", "effect of our error",
    "next step of our error", "webhook URL", "exception of a library", "its cause",
    "label of a metric", "reason of a request", "who requested it", "who paused",
    "reason of a vote", "who voted", "reason of a pause", "because of a release",
    "log of a stack", "its own cause",
)  # fmt: skip


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


@dataclass
class Site:
    """Where a rollback leaves something, and what it was seen to leave."""

    client: Client
    folder: Path
    planted: Canaries
    surfaces: dict[str, Surface] = field(default_factory=dict)

    async def roll_back(self, chain: SqlAudit, telemetry: Telemetry) -> None:
        """One whole rollback with all that people can say in one; four attempts at it fail."""
        policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
        async with rig.rig(
            self.client, self.folder, cached=1000, policy=policy, manned=False, audit=chain
        ) as plain:
            world = Leaking({"v2": 100}, {"v1": 3, "v2": 3})
            world.planted, world.errors = self.planted, errors(self.planted)
            made = replace(plain, world=world)
            async with make_worker(made.client, made.settings, made.parts, telemetry.interceptors):
                await self._decided(made)
            assert not world.errors, "all of them were raised"

    async def _decided(self, made: Rig) -> None:
        planted = self.planted
        rollback = await made.start(
            reason=planted["reason of a request"], requested_by=planted["who requested it"]
        )
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        pause = PauseCommand(by=planted["who paused"], reason=planted["reason of a pause"])
        await rollback.pause(pause)
        await rollback.resume(pause)
        await made.approve(rollback, reason=planted["reason of a vote"], by=planted["who voted"])
        assert (await rollback.result()).result is Result.VERIFIED
        await made.rollbacks.releases(mark(made.service, planted["because of a release"]))
        for number, history in enumerate(await made.histories(rollback)):
            self.surfaces[f"history {number}"] = of_history(history)
        report = build(await entries(made.client, rollback.id))
        self.surfaces["report in Markdown"] = markdown.report(report)
        self.surfaces["report in HTML"] = html.report(report)
        self.surfaces["report in JSON"] = report.model_dump_json()
        self.surfaces["status"] = (await rollback.status()).model_dump_json()


def mark(service: str, because: str) -> ReleaseRequest:
    ask = MarkRelease(
        env="test", service=service, version="v1", by="ana", standing=Standing.VERIFIED,
        because=because,
    )  # fmt: skip
    return ReleaseRequest(ask=ask)


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


async def test_of_25_planted_secrets_none_is_found_anywhere(
    client: Client,
    tmp_path: Path,
    postgres_url: str,
    planted: Canaries,
    chain: SqlAudit,
    logged: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = client.config(active_config=True)
    config["data_converter"] = VEILED
    site = Site(Client(**config), tmp_path, planted)
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
    assert len(planted.planted) == 25
    assert planted.found_in(site.surfaces) == {}
    hidden = [name for name, text in site.surfaces.items() if "***" in str(text)]
    assert {"log", "dump", "history 1", "/v1/traces", "records.sqlite"} <= set(hidden)
