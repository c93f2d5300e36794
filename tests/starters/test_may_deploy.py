"""The gate before a deploy and the freezes that it knows, on a real server."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from rollback_manager.client import RollbackClient, rollbacks
from rollback_manager.contract import Decision, Vote
from rollback_manager.deploys import DeployAnswer, DeployAsk, DeployRequest, MayDeploy, SayFreeze
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.freezes import Direction
from rollback_manager.gates import GateAnswer
from rollback_manager.progress import State
from rollback_manager.release import Standing
from starters import connection, freeze, may_deploy, naming
from starters.refusals import UsageError
from tests import rig
from tests.commands import ROOT, typed
from tests.rig import Rig

SOON = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
async def made(client: Client, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig.rig(client, tmp_path, cached=1000) as one:
        yield one


async def asked(made: Rig, ask: DeployAsk) -> DeployAnswer:
    return await made.rollbacks.deploys(DeployRequest(ask=ask))


async def may(made: Rig, **which: str) -> DeployAnswer:
    words = {"env": "test", "service": made.service, **which}
    return await asked(made, MayDeploy.model_validate(words))


async def frozen(made: Rig, **more: object) -> DeployAnswer:
    words = {"env": "test", "id": uuid.uuid4().hex, "until": SOON, "reason": "inventory"}
    return await asked(made, SayFreeze.model_validate({**words, "by": "ana@example.com", **more}))


async def test_a_release_that_was_undone_may_not_be_deployed_and_another_one_may(
    made: Rig,
) -> None:
    made.records.mark_release("test", made.service, "v2", Standing.BAD, "it failed", None)
    code, document, _ = await typed(made, "may-deploy", made.service, "--version", "v3")
    assert (code, document["may_deploy"], document["known"]) == (0, True, True), document
    code, document, talk = await typed(made, "may-deploy", made.service, "--digest", "sha256:v2")
    assert (code, document["may_deploy"]) == (7, False), document
    assert "it failed" in document["because"][0]
    assert f"NO   {made.service} sha256:v2 in test" in talk


async def test_nothing_is_deployed_while_a_rollback_waits(client: Client, tmp_path: Path) -> None:
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
    async with rig.rig(client, tmp_path, cached=1000, policy=policy) as made:
        rollback = await made.start()
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        answer = await may(made, version="v3")
        assert answer.because == (f"{rollback.id} is under way for {made.service}",)
        vote = Vote(plan=status.digest, by="anna")
        await rollback.vote(Decision.REJECT, vote, vote_id="v-1")
        await rollback.result()


async def test_a_freeze_stops_the_deploy_and_a_rollback_passes_by_its_rule(made: Rig) -> None:
    words = ("--until", SOON.isoformat(), "--reason", "inventory", "--by", "ana@example.com")
    code, document, _ = await typed(made, "freeze", made.service, *words)
    assert (code, len(document["freezes"])) == (0, 1), document
    answer = await may(made)
    assert answer.may is False
    assert "inventory" in answer.because[0]

    outcome = await (await made.start()).result()
    assert outcome.result == "verified"
    (gate,) = [one for one in outcome.gates if one.gate == "freeze"]
    assert gate.answer is GateAnswer.PASSED
    assert gate.because.startswith("rule rollback_passes_freeze: ")

    code, document, _ = await typed(made, "unfreeze", made.service, "--by", "ana@example.com")
    assert (code, document["freezes"], len(document["lifted"])) == (0, [], 1), document
    assert (await may(made, version="v3")).may is True


async def test_a_freeze_that_stops_rollbacks_too_lets_none_begin_by_itself(made: Rig) -> None:
    await frozen(made, direction=Direction.ROLLBACKS_TOO)
    plan = (await made.rollbacks.plan(made.request())).plan
    assert plan is not None
    assert plan.approval.required
    assert any("an incident commander must approve" in gate.because for gate in plan.gates)
    rollback = await made.start()
    status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
    await rollback.vote(Decision.REJECT, Vote(plan=status.digest, by="anna"), vote_id="v-1")
    assert (await rollback.result()).result == "rejected"


async def test_the_same_freeze_said_twice_is_one(made: Rig) -> None:
    for _ in range(2):
        answer = await frozen(made, id="f-1")
    assert [one.id for one in answer.freezes] == ["f-1"]


@pytest.mark.parametrize("name", ["releases", "claims", "freezes"])
async def test_records_that_do_not_answer_are_never_a_yes(
    made: Rig, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def silent(*_: object) -> None:
        raise Unreachable("the records do not answer")

    @asynccontextmanager
    async def connected() -> AsyncIterator[RollbackClient]:
        yield made.rollbacks

    monkeypatch.setattr(type(made.records), name, silent)
    monkeypatch.setattr(rollbacks, "DEPLOYS_WITHIN_S", 1.0)
    monkeypatch.setattr(connection, "connected", connected)
    answer = await may_deploy._asked(MayDeploy(env="test", service=made.service))
    assert (answer.code, answer.document["may_deploy"], answer.document["known"]) == (
        7,
        False,
        False,
    )


def test_a_temporal_that_does_not_answer_is_never_a_yes() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "rollback_manager", "may-deploy", "shop", "--env", "e", "--json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TEMPORAL_ADDRESS": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    document = json.loads(ended.stdout.splitlines()[-1])
    assert (ended.returncode, document["may_deploy"], document["known"]) == (7, False, False)
    assert "never a yes" in ended.stderr


async def test_a_freeze_that_is_over_or_of_nobody_freezes_nothing(made: Rig) -> None:
    with pytest.raises(PermanentError, match="which is over"):
        await frozen(made, until=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(PermanentError, match="no service 'nobody'"):
        await frozen(made, service="nobody")


@pytest.mark.parametrize("time", ["2026-12-24T18:00:00", "tomorrow", "1766577600", "2026-12-24"])
def test_a_time_without_its_zone_is_a_usage_error(time: str) -> None:
    with pytest.raises(UsageError, match="is no time with a zone"):
        naming.moment("--until", time)


def test_a_freeze_needs_a_reason_and_an_end() -> None:
    with pytest.raises(UsageError, match="a freeze needs a reason"):
        freeze._reason("  ")
    with pytest.raises(UsageError, match="a freeze without an end"):
        freeze._must_be_bare(None, "inventory", rollbacks_too=False)
