"""From a click in Slack to the workflow that has the decision: `make bench-clicks`.

A real gateway and Temporal; Slack's signature, the replay record and the directory are all on the
way. The other end of the measure is the vote's own time in the rollback's status.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence

from demo.slack import SlackStandIn, signed
from proof.attack.slack_gate import ANA, PATH, SECRET, T1, SlackGate, slack_gate
from proof.in_process import Fleet, fleet, quick_looks
from proof.own_temporal import own_temporal
from rollback_manager.client import Rollback
from rollback_manager.progress import State
from rollback_manager.values import Value
from workers.process import end

BATCH = 20
"""Rollbacks that wait for their click at once; they are clicked one after the other."""
GOAL_S = 1.0
"""p99, by the issue."""


class Clicked(Value):
    """Seconds. decided: from the click until the workflow has it; answered: until HTTP 200."""

    clicks: int
    decided_p50_s: float
    decided_p99_s: float
    answered_p50_s: float
    answered_p99_s: float
    goal_p99_s: float = GOAL_S


async def measure(clicks: int) -> Clicked:
    """So many approvals, each of a rollback of its own."""
    decided, answered = list[float](), list[float]()
    with SlackStandIn() as stand_in, quick_looks():
        async with own_temporal(on_disk=True) as own:
            client = await own.client()
            for _ in range(0, clicks, BATCH):
                waits = {"approval": {"required": True, "deadline_s": 120}}
                opened = fleet(client, own.folder, services=BATCH, policy=waits, decisions=T1)
                async with opened as made, made.worker(), slack_gate(made, stand_in) as gate:
                    rollbacks = [await _waiting(made, name) for name in made.worlds]
                    for rollback in rollbacks:
                        one = await _click(gate, rollback)
                        decided.append(one[0])
                        answered.append(one[1])
                    await asyncio.gather(*(one.result() for one in rollbacks))
    return Clicked(
        clicks=len(decided),
        decided_p50_s=_quantile(decided, 50),
        decided_p99_s=_quantile(decided, 99),
        answered_p50_s=_quantile(answered, 50),
        answered_p99_s=_quantile(answered, 99),
    )


async def _waiting(made: Fleet, service: str) -> Rollback:
    rollback = await made.start(service)
    async for status in rollback.events(every_s=0.02):
        if status.state is State.WAITING_FOR_APPROVAL:
            break
    return rollback


async def _click(gate: SlackGate, rollback: Rollback) -> tuple[float, float]:
    """Until the workflow has the vote, and until Slack has its answer."""
    nonce = (await rollback.status()).nonce
    body = ANA.click("approve", f"{rollback.id.removeprefix('rollback/')}.{nonce}")
    at = time.time()
    answer = await gate.http.post(PATH, content=body, headers=signed(SECRET, body, at))
    answered = time.time() - at
    if answer.status_code != 200:
        raise RuntimeError(f"the gateway answered {answer.status_code}")
    voted_at = at
    async for status in rollback.events(every_s=0.005):
        if status.decisions:
            voted_at = status.decisions[0].at.timestamp()
            break
    return voted_at - at, answered


def _quantile(seconds: Sequence[float], percent: int) -> float:
    return round(statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1], 4)


def main() -> None:
    """`python -m benchmarks.clicks`: a table on stderr, with --json one object on stdout."""
    parser = argparse.ArgumentParser(prog="bench-clicks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--clicks", type=int, default=200, help="approvals (200)")
    given = parser.parse_args()
    found = asyncio.run(measure(max(given.clicks, 2)))
    for name, value in found.model_dump().items():
        print(f"{name:16} {value}", file=sys.stderr)
    if given.json:
        print(json.dumps(found.model_dump()))
    end(0 if found.decided_p99_s <= GOAL_S else 1)


if __name__ == "__main__":
    main()
