"""A stop is called applied once the rollback took its signature, and not when it was sent."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from rollback_manager.authority.may import Channel
from rollback_manager.authority.people import Person
from rollback_manager.authority.proving import USED
from rollback_manager.client import Rollback
from rollback_manager.progress import MOST_IGNORED, Ignored, RollbackStatus, State
from starters.gateway import judging
from starters.gateway.auditing import Auditing
from starters.gateway.deciding import Asked, Deciding, decide
from starters.gateway.doors import Doors
from starters.gateway.signing import SigningKey
from tests import rig
from tests.rig import Rig
from tests.secured import NOW, STRANGER, secured_rig
from tests.starters.gateway.conftest import doors_of
from tests.starters.gateway.test_deciding import Chain

BO = Person(subject="bo@example.com", groups=("commanders",), method="web+mfa", factors=("mfa",))
AT = datetime.fromisoformat("2026-11-28T12:00:00Z")
SENT = judging.Command("pause", BO.subject)
IGNORED = Ignored(command="pause", by=BO.subject, at=AT, because="its signature is wrong")
STANDS = RollbackStatus(rollback="rollback/test/k", env="test", state=State.RUNNING, digest="ab")


async def test_whether_the_rollback_took_it_is_answered_and_kept(
    client: Client, tmp_path: Path
) -> None:
    chain = Chain()
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
    async with rig.rig(client, tmp_path, cached=1000, policy=policy, manned=False) as bare:
        made = secured_rig(bare, strategy="rolling_update")
        async with made.worker():
            await _decides(made, chain)


async def _decides(made: Rig, chain: Chain) -> None:
    rollback = await made.start(requested_by="cy@example.com")
    await made.until(rollback, State.WAITING_FOR_APPROVAL)

    async def said(deciding: Deciding, key: Ed25519PrivateKey) -> tuple[bool, bool, str]:
        doors = _doors(made, chain, key)
        asked = Asked(rollback=rollback.id, deciding=deciding, id=f"{deciding}-{key is NOW}")
        got = await decide(doors, BO, Channel.WEB, asked)
        return got.applied, got.pending, got.because

    applied, pending, because = await said(Deciding.PAUSE, STRANGER)
    assert (applied, pending) == (False, False), because
    assert "the rollback ignored it: its signature is wrong" in because
    assert [one.outcome.partition(":")[0] for one in chain.kept.values()] == [
        "asked",
        "refused",
    ]
    taken = "it waits after the action under way"
    assert await said(Deciding.PAUSE, NOW) == (True, False, taken)
    assert await said(Deciding.PAUSE, NOW) == (
        True,
        False,
        taken,
    )  # sent again, as one decision
    assert [one.outcome for one in chain.kept.values()][2:] == ["asked"]
    assert (await said(Deciding.ABORT_HOLD, NOW))[:2] == (True, False)
    await rollback.result()


def _doors(made: Rig, chain: Chain, key: Ed25519PrivateKey) -> Doors:
    return replace(doors_of(made), auditing=Auditing(chain), signer=lambda: SigningKey("now", key))


def _after(*ignored: Ignored, **changes: Any) -> RollbackStatus:
    return STANDS.model_copy(update={"ignored": ignored, **changes})


@pytest.mark.parametrize(
    ("before", "after", "because"),
    [
        (STANDS, STANDS, "True False taken"),
        (_after(IGNORED), _after(IGNORED), "True False taken"),
        (_after(IGNORED), _after(IGNORED, IGNORED), "False False the rollback ignored it: its sig"),
        (
            STANDS,
            _after(IGNORED.model_copy(update={"by": "eve@example.com"})),
            "True False taken",
        ),
        (STANDS, _after(IGNORED.model_copy(update={"because": USED})), "True False taken"),
        (
            _after(*[IGNORED] * MOST_IGNORED),
            _after(*[IGNORED] * MOST_IGNORED),
            "False True sent; it has ignored so many",
        ),
        (STANDS, _after(digest=""), "False True sent; it is judged once the plan"),
        (None, STANDS, "False True sent; no worker has answered yet"),
    ],
)
async def test_what_it_says_of_a_command(
    before: RollbackStatus | None, after: RollbackStatus, because: str
) -> None:
    class Answers:
        async def by_itself(self) -> RollbackStatus:
            return after

    got = await judging.judged(cast(Rollback, Answers()), SENT, before, "taken")
    assert f"{got.applied} {got.pending} {got.because}".startswith(because)
