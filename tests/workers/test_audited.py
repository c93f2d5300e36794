"""No step changes anything without its entry in the audit chain."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.audit_key import audit_key, made_at_first_start
from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for, upgrade
from activities.secrets import Secrets
from proof.stand_ins import Gate
from rollback_manager.audit import Entry, Event, verify
from rollback_manager.audit.asked import AuditRequest, ExportPage, ProveRollback, VerifyChain
from rollback_manager.errors import Unreachable
from rollback_manager.progress import Result, State
from tests import rig
from tests.chains import event
from tests.commands import typed
from workers.anchoring import anchoring

APPROVED: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}


class Breakable(SqlAudit):
    """The real chain, whose database goes away when it is told to."""

    is_down = False

    def append(self, event: Event) -> Entry:
        if self.is_down:
            raise Unreachable("the records do not answer", effect="Nothing was done.")
        return super().append(event)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Breakable]:
    engine = engine_for(f"sqlite:///{tmp_path}/records.sqlite")
    upgrade(engine)
    key = audit_key(Secrets(), made_at_first_start(tmp_path / "audit.pem"))
    yield Breakable(engine, key, AnchorFile(tmp_path / "anchor" / "audit.jsonl"))
    engine.dispose()


def told(chain: SqlAudit, rollback: str) -> list[tuple[str, str]]:
    about = [one for one in chain.entries() if one.object == rollback]
    return [(one.action, one.outcome.partition(":")[0]) for one in about]


async def test_a_rollback_leaves_its_start_its_steps_its_votes_and_its_end(
    client: Client, tmp_path: Path, chain: Breakable
) -> None:
    async with rig.rig(client, tmp_path, cached=1000, policy=APPROVED, audit=chain) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await made.approve(rollback)
        outcome = await rollback.result()
        asked = (ProveRollback(rollback=rollback.id), VerifyChain(), ExportPage())
        proven, verified, page = [
            await made.rollbacks.audit(AuditRequest(ask=ask)) for ask in asked
        ]
        code, document, _ = await typed(made, "report", rollback.id)
    assert outcome.result is Result.VERIFIED
    entries = told(chain, rollback.id)
    assert entries[0] == ("start", "planned")
    assert entries[-2:] == [("workflow.approve", "counted"), ("end", "verified")]
    for step in ("redirect_traffic", "clean_up"):
        assert entries.index((f"step.{step}", "begun")) < entries.index((f"step.{step}", "done"))
    assert not [one for one in entries if one[0] == "step.verify"], "it writes nothing"
    plans = {one.plan_digest for one in chain.entries() if one.action in {"start", "end"}}
    assert plans == {outcome.digest}
    assert proven.proof is not None
    assert (proven.proof.holds, proven.proof.entries) == (True, len(entries))
    assert (code, document["report"]["audit"]["holds"]) == (0, True)
    assert verified.verdict is not None
    assert (verified.verdict.holds, verified.verdict.trusted) == (True, True)
    assert (page.anchors, page.more) == (tuple(chain.anchors()), True)


async def test_while_the_database_is_down_no_step_begins(
    client: Client, tmp_path: Path, chain: Breakable
) -> None:
    async with rig.rig(client, tmp_path, cached=1000, policy=APPROVED, audit=chain) as made:
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        chain.is_down = True
        await made.approve(rollback)
        await made.step_failed_once("redirect_traffic")
        assert made.world.ledger == []
        assert made.world.shares_now == {"v2": 100}
        chain.is_down = False
        assert (await rollback.result()).result is Result.VERIFIED
    verdict = verify(chain.entries(), {one.key_id for one in chain.anchors()}, chain.anchors())
    assert verdict.holds


async def test_a_database_that_goes_during_a_step_lets_nothing_be_done_twice(
    client: Client, tmp_path: Path, chain: Breakable
) -> None:
    async with rig.rig(client, tmp_path, cached=1000, audit=chain) as made:
        gate = Gate("set_shares")
        made.world.after_write = gate
        rollback = await made.start()
        await asyncio.to_thread(gate.reached.wait, 20)
        chain.is_down = True
        gate.open()
        await made.step_failed_once("redirect_traffic")
        chain.is_down = False
        assert (await rollback.result()).result is Result.VERIFIED
    assert made.world.splits.count({"v1": 100}) == 1
    shifts = [one for one in told(chain, rollback.id) if one[0] == "step.redirect_traffic"]
    assert shifts == [("step.redirect_traffic", "begun"), ("step.redirect_traffic", "done")]


async def test_the_head_is_anchored_again_and_again_and_when_a_process_ends(
    chain: Breakable,
) -> None:
    async with anchoring(chain, every_s=0.05):
        chain.append(event(1))
        async with asyncio.timeout(5):
            while chain.anchors()[-1].seq < 1:
                await asyncio.sleep(0.02)
        chain.append(event(2, event_id="late"))
    assert chain.anchors()[-1].seq == 2
    async with anchoring(None):
        """Nothing is audited where there is no chain."""
