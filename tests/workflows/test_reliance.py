"""What the claim saw spares a look; the shift looks again and never rests on what is gone."""

import asyncio
from pathlib import Path

from temporalio.client import Client

from rollback_manager.contract import Decision, Vote
from rollback_manager.progress import Result, State
from tests import rig


async def test_capacity_that_went_while_people_decided_is_prepared_first(
    client: Client, tmp_path: Path, cached: int
) -> None:
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
    async with rig.rig(client, tmp_path, cached=cached, policy=policy) as made:
        rollback = await made.start()
        while (status := await rollback.status()).state is not State.WAITING_FOR_APPROVAL:
            await asyncio.sleep(0.01)
        made.world.running["v1"] = 1
        vote = Vote(plan=status.digest, by="test")
        assert (await rollback.vote(Decision.APPROVE, vote, vote_id="v")).applied
        outcome = await rollback.result()
        assert outcome.result is Result.VERIFIED, outcome
        writes = [write.what for write in made.world.ledger]
        assert writes == ["v1 × 3", "shares {'v1': 100}", "v2 × 0"]
        await made.replay(rollback)
