"""While no worker answers, a rollback's history says who may stop it; else that is said."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from rollback_manager.authority.may import Channel
from rollback_manager.authority.people import Person
from rollback_manager.contract import Planned
from rollback_manager.errors import Unreachable
from rollback_manager.plan import Part
from rollback_manager.progress import RollbackStatus, State
from rollback_manager.report import Entry, Kind
from rollback_manager.tier import Tier
from starters import history
from starters.gateway import last_tier
from starters.gateway.auditing import Auditing
from starters.gateway.deciding import Asked, Deciding, decide
from starters.gateway.last_tier import KnownTier
from starters.gateway.problems import Refused
from starters.gateway.signing import SigningKey
from tests import rig
from tests.secured import NOW, SecuredRig, secured_rig
from tests.starters.gateway.conftest import doors_of
from tests.starters.gateway.test_deciding import Chain

AT = datetime.fromisoformat("2026-11-28T12:00:00Z")
ON_CALL = Person(subject="oc@example.com", groups=("on-call",), method="web")
BO = Person(subject="bo@example.com", groups=("commanders",), method="web+mfa", factors=("mfa",))


@pytest.fixture
async def left(client: Client, tmp_path: Path) -> AsyncIterator[tuple[SecuredRig, RollbackStatus]]:
    """A T3 rollback that waits for two people, and its workers are gone."""
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
    async with rig.rig(client, tmp_path, cached=1000, policy=policy, manned=False) as bare:
        made = secured_rig(bare, strategy="rolling_update")
        async with made.worker():
            rollback = await made.start(requested_by="cy@example.com")
            asked = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        yield made, asked
        await client.get_workflow_handle(rollback.id).terminate("the test is over")


async def _said(
    made: SecuredRig, chain: Chain, who: Person, rollback: str, deciding: Deciding
) -> str:
    doors = replace(doors_of(made), auditing=Auditing(chain), signer=lambda: SigningKey("now", NOW))
    asked = Asked(rollback=rollback, deciding=deciding, id=f"{deciding}-{who.subject}")
    got = await decide(doors, who, Channel.WEB, asked)
    assert not got.applied
    assert got.pending
    return got.because


async def test_who_may_not_stop_a_t3_may_not_while_nobody_answers_either(
    left: tuple[SecuredRig, RollbackStatus], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = left
    assert asked.tier is Tier.T3
    chain = Chain()
    with pytest.raises(Refused, match="may not abort at T3: only incident commander"):
        await _said(made, chain, ON_CALL, asked.rollback, Deciding.ABORT_HOLD)
    because = await _said(made, chain, BO, asked.rollback, Deciding.ABORT_HOLD)
    assert because == "sent; no worker has answered yet: it is judged once one is back"

    async def away(*_: object) -> tuple[Entry, ...]:
        raise Unreachable("the history is not there")

    monkeypatch.setattr(history, "of_one", away)
    assert last_tier.UNKNOWN in await _said(
        made, chain, ON_CALL, asked.rollback, Deciding.ABORT_HOLD
    )
    with pytest.raises(Refused, match="may not abort at T3"):
        await _said(made, chain, ON_CALL, asked.rollback, Deciding.ABORT_RESTORE)
    told = [outcome for _, _, outcome in chain.told if last_tier.UNKNOWN in outcome]
    assert len(told) == 1


def _entry(name: str, payload: str, **more: Any) -> Entry:
    return Entry.model_validate(
        {
            "at": AT, "workflow": "rollback/test/k", "run_id": "r", "event": 1,
            "kind": Kind.LOCAL_ACTIVITY, "name": name, "payload": payload, **more,
        }
    )  # fmt: skip


IN_PARTS = Planned(parts=(Part(key="k-p1", wave=1, services=("a",)),)).model_dump_json()
T1, T2 = (Planned(tier=tier).model_dump_json() for tier in (Tier.T1, Tier.T2))
BLOCKED = Planned(blocked_because="frozen").model_dump_json()


@pytest.mark.parametrize(
    ("told", "tier"),
    [
        ([], KnownTier(None)),
        ([("plan_rollback", BLOCKED)], KnownTier(None)),
        ([("plan_rollback", "")], last_tier.UNREAD),
        ([("plan_rollback", IN_PARTS)], KnownTier(None)),
        (
            [("plan_rollback", IN_PARTS), ("seal_part", T1), ("seal_part", T2), ("seal_part", T1)],
            KnownTier(Tier.T2),
        ),
        ([("plan_rollback", IN_PARTS), ("seal_part", T1), ("seal_part", "")], last_tier.UNREAD),
    ],
)
def test_the_plan_that_was_made_last_says_it(told: list[tuple[str, str]], tier: KnownTier) -> None:
    assert last_tier.of([_entry(*one) for one in told]) == tier
