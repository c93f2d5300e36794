"""Slack's door of a real gateway under attack: forged requests, then one request 1,000 times."""

from pathlib import Path

from temporalio.client import Client

from demo.slack import SlackStandIn
from proof.attack.slack import Attacked, mutated, play, replay
from proof.attack.slack_gate import ANA, PATH, SECRET, T1, slack_gate
from proof.in_process import fleet, quick_looks
from rollback_manager.client import Rollback
from rollback_manager.progress import State
from rollback_manager.values import Value

REPLAYS = 1000
SAMPLE = 5
"""With `quick` every fifth forged request, and a tenth of the replays."""


class SlackAttacked(Value):
    """What came of it. decisions: that the replayed request brought about; one is right."""

    forged: Attacked
    replays: dict[str, int]
    decisions: int


async def _question(rollback: Rollback) -> str:
    """What a button of its message carries, once it waits."""
    async for status in rollback.events(every_s=0.05):
        if status.state is State.WAITING_FOR_APPROVAL:
            return f"{rollback.id.removeprefix('rollback/')}.{status.nonce}"
    raise RuntimeError(f"{rollback.id} ended before anybody was asked")


async def attack(client: Client, folder: Path, *, quick: bool = False) -> SlackAttacked:
    """Against a rollback that waits for a vote, and ends by the one that counts."""
    waits = {"approval": {"required": True, "deadline_s": 600}}
    with SlackStandIn() as stand_in, quick_looks():
        opened = fleet(client, folder, services=1, policy=waits, decisions=T1)
        async with opened as made, made.worker(), slack_gate(made, stand_in) as gate:
            (service,) = made.worlds
            rollback = await made.start(service)
            body = ANA.click("approve", await _question(rollback))
            now_s = gate.doors.now().timestamp()
            forged = list(mutated(SECRET, body, now_s))[:: SAMPLE if quick else 1]
            found = await play(gate.http, PATH, forged)
            times = REPLAYS // 10 if quick else REPLAYS
            again = await replay(gate.http, PATH, SECRET, body, gate.doors.now().timestamp(), times)
            outcome = await rollback.result()
    return SlackAttacked(forged=found, replays=again, decisions=len(outcome.decisions))
