"""A whole rollback where only gateway and workers may write, and tokens that end in the middle."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from proof.stand_ins import Gate
from rollback_manager.client import Rollback, RollbackClient, connect
from rollback_manager.client.temporal_token import TEMPORAL_TOKEN
from rollback_manager.contract import Decision, Vote
from rollback_manager.errors import NotPermitted, RollbackError, Unreachable
from rollback_manager.progress import Result, RollbackOutcome, State
from starters.refusals import NOT_PERMITTED
from tests import rig
from tests.claims.gateway import Gateway, gateway
from tests.claims.temporal import READ, WRITE, Guarded, documented
from tests.secured import SecuredRig, begun, secured_rig
from workers.worker import LEAVE_AFTER_S

pytestmark = pytest.mark.claims

ROOT = Path(__file__).parents[2]
ANA, BO, CY = (f"{name}@example.com" for name in ("ana", "bo", "cy"))
ASKED: dict[str, object] = {"approval": {"required": True, "deadline_s": 120}}


@dataclass
class Known:
    """A process of ours as Temporal knows it: by what stands in its file."""

    file: Path
    client: Client

    async def is_given(self, token: str) -> None:
        """The file has another token, and the running client has taken it by itself."""
        self.file.write_text(token)
        async with asyncio.timeout(15):
            while self.client.api_key != token:
                await asyncio.sleep(0.05)


@dataclass
class Scene:
    """Gateway and worker, each with a token of its own."""

    temporal: Guarded
    rig: SecuredRig
    worker: Known
    gateway: Gateway
    rollbacks: RollbackClient

    async def asked(self) -> Rollback:
        """A T3 rollback that waits for two people."""
        rollback = await self.rollbacks.start(begun(self.rig.request(requested_by=CY)))
        await self.until(rollback, State.WAITING_FOR_APPROVAL)
        return rollback

    async def until(self, rollback: Rollback, state: State) -> None:
        async with asyncio.timeout(40):
            while (await rollback.status()).state is not state:
                await asyncio.sleep(0.1)

    async def approved(self, rollback: Rollback) -> None:
        """By two people, each through the gateway."""
        for who in (ANA, BO):
            said = await self.gateway.approve(who, rollback.id, self.rig.service)
            assert "approve: applied" in said.text


def told(temporal: Guarded, file: Path, patched: pytest.MonkeyPatch, *permissions: str) -> Path:
    """The environment of a process that may that."""
    file.write_text(temporal.issuer.token(*permissions))
    patched.setenv("TEMPORAL_ADDRESS", temporal.address)
    patched.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(temporal.authority))
    patched.setenv(TEMPORAL_TOKEN, f"file:{file}")
    return file


@asynccontextmanager
async def scene(
    temporal: Guarded, folder: Path, patched: pytest.MonkeyPatch, **policy: object
) -> AsyncIterator[Scene]:
    of_worker = told(temporal, folder / "worker", patched, WRITE)
    client = await connect()
    told(temporal, folder / "gateway", patched, WRITE)
    rollbacks_of_gateway = await connect()
    rules = {**ASKED, **policy}
    async with rig.rig(client, folder, cached=1000, policy=rules, manned=False) as bare:
        made = secured_rig(bare, strategy="rolling_update")
        rollbacks = RollbackClient(rollbacks_of_gateway, task_queue=made.settings.task_queue)
        async with made.worker(), gateway(made, rollbacks) as door:
            yield Scene(temporal, made, Known(of_worker, client), door, rollbacks)


def is_verified_by_two(outcome: RollbackOutcome) -> bool:
    counted = [(vote.by, vote.signed) for vote in outcome.decisions if vote.counted]
    return outcome.result is Result.VERIFIED and counted == [(ANA, True), (BO, True)]


async def test_two_people_agree_through_the_gateway_and_a_viewer_only_looks_on(
    guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(guarded, tmp_path, monkeypatch) as at:
        rollback = await at.asked()
        told(guarded, tmp_path / "viewer", monkeypatch, READ)
        async with RollbackClient(task_queue=at.rig.settings.task_queue) as viewer:
            seen = viewer.rollback(rollback.id)
            status = await seen.status()
            assert (str(status.tier), status.security) == ("T3", "secured")
            vote = Vote(plan=status.digest, by=BO, method="web+mfa")
            with pytest.raises(NotPermitted, match="does not permit it"):
                await seen.vote(Decision.APPROVE, vote, vote_id="v-1")
            with pytest.raises(NotPermitted, match="does not permit it"):
                await viewer.start(at.rig.request())
        await at.approved(rollback)
        assert is_verified_by_two(await rollback.result())


async def is_over(known: Known, temporal: Guarded) -> None:
    await known.is_given(temporal.issuer.token(WRITE, lasts_s=0.5))
    await asyncio.sleep(1)


async def is_of_a_key_that_was_replaced(known: Known, temporal: Guarded) -> None:
    temporal.issuer.add("next")
    temporal.issuer.keys.pop(next(iter(temporal.issuer.keys)))
    await temporal.issuer.until_read()


@pytest.mark.parametrize("ends", [is_over, is_of_a_key_that_was_replaced], ids=lambda f: f.__name__)
async def test_a_worker_whose_token_ended_does_nothing_and_goes_on_with_a_new_one(
    guarded: Guarded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: Callable[[Known, Guarded], Awaitable[None]],
) -> None:
    async with scene(guarded, tmp_path, monkeypatch) as at:
        rollback = await at.asked()
        door = Known(tmp_path / "gateway", at.rollbacks.temporal)
        await ends(at.worker, guarded)
        await door.is_given(guarded.issuer.token(WRITE))
        assert await refused(at.worker.client)
        with pytest.raises(Unreachable, match="no worker answers"):
            await rollback.status()
        await at.worker.is_given(guarded.issuer.token(WRITE))
        renewed = time.monotonic()
        await answers(rollback)
        assert time.monotonic() - renewed < 15
        await at.approved(rollback)
        assert is_verified_by_two(await rollback.result())


async def test_a_gateway_whose_token_ended_counts_no_vote_and_says_why(
    guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(guarded, tmp_path, monkeypatch) as at:
        rollback = await at.asked()
        door = Known(tmp_path / "gateway", at.rollbacks.temporal)
        async with at.gateway.person(ANA) as http:
            await is_over(door, guarded)
            page = await http.get(f"/{rollback.id}/approve")
            assert page.status_code == 503
            assert "the token is missing, over" in page.text
        await door.is_given(guarded.issuer.token(WRITE))
        assert (await rollback.status()).decisions == ()
        await at.approved(rollback)
        assert is_verified_by_two(await rollback.result())


async def refused(client: Client) -> bool:
    try:
        await client.count_workflows()
    except RPCError as error:
        return error.status is RPCStatusCode.PERMISSION_DENIED
    return False


async def answers(rollback: Rollback) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await rollback.status()
            except RollbackError:
                continue
            return


async def test_a_step_that_runs_while_the_token_ends_is_reported_once_there_is_a_new_one(
    guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(guarded, tmp_path, monkeypatch) as at:
        at.rig.world.before_write = gate = Gate("set_shares")
        rollback = await at.asked()
        await at.approved(rollback)
        assert await asyncio.to_thread(gate.reached.wait, 30)
        await is_over(at.worker, guarded)
        gate.open()
        await asyncio.sleep(3)  # the step ends, and nobody may say so
        await at.worker.is_given(guarded.issuer.token(WRITE))
        assert is_verified_by_two(await rollback.result())
        assert at.rig.world.shares_now == {"v1": 100}


def spawned(temporal: Guarded, folder: Path, file: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """`rollback-manager worker`, a process of its own."""
    (folder / "catalogue.yaml").write_text(rig.catalogue("elsewhere", {}).model_dump_json())
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {
        "TEMPORAL_ADDRESS": temporal.address,
        **documented("worker", temporal.secrets),
        TEMPORAL_TOKEN: f"file:{file}",
        "ROLLBACK_DATA": str(folder / "data"),
        "ROLLBACK_CATALOGUE": str(folder / "catalogue.yaml"),
        "ROLLBACK_TASK_QUEUE": f"q-{folder.name}",
        "ROLLBACK_LOG_JSON": "true",
    }
    log = folder / "worker.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "rollback_manager", "worker"],
            cwd=ROOT, env={**kept, **settings}, stderr=said, start_new_session=True,
        )  # fmt: skip
    return process, log


async def until_told(log: Path, words: str, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(60):
        while words not in log.read_text():
            assert process.poll() is None, log.read_text()
            await asyncio.sleep(0.1)


async def test_a_worker_without_a_right_says_so_at_once(guarded: Guarded, tmp_path: Path) -> None:
    for token in (guarded.issuer.token(WRITE, lasts_s=-1), guarded.issuer.token(READ)):
        (tmp_path / "token").write_text(token)
        process, log = spawned(guarded, tmp_path, tmp_path / "token")
        try:
            code = await asyncio.to_thread(process.wait, 30)
        finally:
            process.kill()
        assert code == NOT_PERMITTED, log.read_text()
        assert "does not permit it" in log.read_text()
        assert token not in log.read_text()


@pytest.mark.timeout(300)
async def test_a_worker_that_is_refused_for_a_minute_ends_and_one_that_is_not_stays(
    guarded: Guarded, tmp_path: Path
) -> None:
    folders = tmp_path / "renewed", tmp_path / "forgotten"
    workers = []
    try:
        for folder in folders:
            folder.mkdir()
            (folder / "token").write_text(guarded.issuer.token(WRITE))
            workers.append(spawned(guarded, folder, folder / "token"))
        (stays, told_by_it), (ends, log) = workers
        for process, said in workers:
            await until_told(said, "worker is ready", process)
        short = guarded.issuer.token(WRITE, lasts_s=8)
        for folder in folders:
            (folder / "token").write_text(short)
        await asyncio.sleep(30)  # for most of it both are refused
        (folders[0] / "token").write_text(guarded.issuer.token(WRITE))
        began = time.monotonic() - 30
        # A poll that was let in lasts up to a minute; then it is refused for another one.
        code = await asyncio.to_thread(ends.wait, 170)
        assert 60 < time.monotonic() - began < 135 + LEAVE_AFTER_S
        assert code == NOT_PERMITTED, log.read_text()
        await asyncio.sleep(5)
        assert stays.poll() is None, told_by_it.read_text()
        assert told_by_it.read_text().count("token was replaced") == 2
        assert "Renew its token" in " ".join(log.read_text().split())
        assert short not in log.read_text() + told_by_it.read_text()
    finally:
        for process, _ in workers:
            process.terminate()
        for process, _ in workers:
            await asyncio.to_thread(process.wait, 40)
