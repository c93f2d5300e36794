"""Many alerts within seconds: the budget lets so many begin, and the rest is one question."""

import argparse
import asyncio
import json
import time
from pathlib import Path

from temporalio.client import Client

from proof.in_process import Fleet, fleet, quick_looks
from proof.own_temporal import own_temporal
from rollback_manager.client import Rollback
from rollback_manager.fleet.budget import BudgetAnswer
from rollback_manager.progress import Result
from rollback_manager.values import Value
from workers.process import end

PATIENCE_S = 300
ALL = BudgetAnswer(by="a person", everything=True, reason="one cause, seen and known")


class Alerted(Value):
    """What came of the alerts. touched: services that production changed in before the answer."""

    alerts: int
    budget: int
    sending_s: float
    began: int
    touched: int
    held: int
    questions: int
    verified_after: int
    seconds: float


async def alert(client: Client, folder: Path, alerts: int, budget: int, within_s: float) -> Alerted:
    """One rollback of each service, spread over those seconds; then the one answer: all of them."""
    limit = {"budget": budget, "budget_window_s": 600}
    begun = time.monotonic()
    async with fleet(client, folder, services=alerts, fleet=limit) as made, made.worker():
        rollbacks = await _spread(made, within_s)
        sending_s = time.monotonic() - begun
        held = await _held(made, alerts - budget)
        began = [one for one in rollbacks if one.id not in held]
        first = [(await one.result()).result for one in began]
        touched = sum(bool(world.ledger) for world in made.worlds.values())
        questions = await _questions(made)
        await made.rollbacks.budget(made.env).answer("admit", ALL)
        ends = await asyncio.gather(*(rollback.result() for rollback in rollbacks))
    return Alerted(
        alerts=alerts,
        budget=budget,
        sending_s=round(sending_s, 1),
        began=first.count(Result.VERIFIED),
        touched=touched,
        held=len(held),
        questions=questions,
        verified_after=[one.result for one in ends].count(Result.VERIFIED),
        seconds=round(time.monotonic() - begun, 1),
    )


async def _spread(made: Fleet, within_s: float) -> list[Rollback]:
    async def later(number: int, service: str) -> Rollback:
        await asyncio.sleep(within_s * number / len(made.worlds))
        return await made.start(service, trigger="alert")

    return list(await asyncio.gather(*(later(*one) for one in enumerate(made.worlds))))


async def _held(made: Fleet, count: int) -> set[str]:
    """Ids of those that wait, once there are so many of them."""
    async with asyncio.timeout(PATIENCE_S):
        while len(held := (await made.rollbacks.budget(made.env).status()).held) < count:
            await asyncio.sleep(0.2)
    return {one.rollback for one in held}


async def _questions(made: Fleet) -> int:
    """Workflows that ask a person, as Temporal's lists show them."""
    query = f"RollbackEnv = '{made.env}' AND RollbackState = 'needs_human'"
    async with asyncio.timeout(PATIENCE_S):
        while not (found := [run.id async for run in made.client.list_workflows(query)]):
            await asyncio.sleep(0.2)  # a list follows a task later
    return len(found)


async def _main(alerts: int, budget: int) -> Alerted:
    with quick_looks():
        async with own_temporal() as own:
            return await alert(await own.client(), own.folder, alerts, budget, within_s=10)


def main() -> None:
    """0 when no more than the budget began, and one answer freed all of the rest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--alerts", type=int, default=200)
    parser.add_argument("--budget", type=int, default=3)
    options = parser.parse_args()
    alerted = asyncio.run(_main(options.alerts, options.budget))
    print(json.dumps(alerted.model_dump(), indent=None if options.json else 2), flush=True)
    held_back = alerted.began == alerted.touched == options.budget and alerted.questions == 1
    end(0 if held_back and alerted.verified_after == options.alerts else 1)


if __name__ == "__main__":
    main()
