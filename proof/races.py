"""Double starts: two clients say within the same instant that a service's release is bad.

Of two keys exactly one rollback runs and the other is blocked; of one key both are the same one.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from temporalio.client import Client

from proof.in_process import Fleet, fleet, quick_looks
from proof.own_temporal import own_temporal
from rollback_manager.client import Rollback
from rollback_manager.progress import Result, RollbackOutcome
from rollback_manager.values import Value
from workers.process import end

AT_ONCE = 25
"""Pairs in one batch: the dev server has one connection to its database."""


class Raced(Value):
    """What came of double starts; each violation in words."""

    races: int = 0
    one_winner: int = 0
    same_key: int = 0
    violations: tuple[str, ...] = ()

    def and_then(self, other: "Raced") -> "Raced":
        """Both together."""
        return Raced(
            races=self.races + other.races,
            one_winner=self.one_winner + other.one_winner,
            same_key=self.same_key + other.same_key,
            violations=(*self.violations, *other.violations),
        )


async def race(clients: tuple[Client, Client], folder: Path, pairs: int) -> Raced:
    """So many pairs at once, each on a service of its own; every second pair has one key."""
    async with fleet(clients[0], folder, services=pairs) as made, made.worker():
        many = (_pair(made, clients[1], name, n % 2 == 0) for n, name in enumerate(made.worlds))
        raced = await asyncio.gather(*many)
    whole = Raced()
    for one in raced:
        whole = whole.and_then(one)
    return whole


async def _pair(made: Fleet, other: Client, service: str, same: bool) -> Raced:
    requests = [made.request(service), made.request(service)]
    if same:
        requests[1] = requests[1].model_copy(update={"key": requests[0].key})
    seconds = Fleet(other, made.env, {}, made.records, made.settings, made.catalogue)
    both = await asyncio.gather(
        made.rollbacks.start(requests[0]), seconds.rollbacks.start(requests[1])
    )
    outcomes = await asyncio.gather(*(rollback.result() for rollback in both))
    writes = [write.what for write in made.worlds[service].ledger]
    wrong = _wrong(both, outcomes, writes, same)
    return Raced(
        races=1,
        one_winner=int(not wrong),
        same_key=int(same),
        violations=(f"{service}: {wrong}",) if wrong else (),
    )


def _wrong(
    both: Sequence[Rollback], outcomes: Sequence[RollbackOutcome], writes: list[str], same: bool
) -> str:
    """In words what is wrong; judged by the target's own ledger first."""
    if writes != ["shares {'v1': 100}", "v2 × 0"]:
        return f"the ledger says {writes}"
    if same:
        is_one = both[0].id == both[1].id and outcomes[0] == outcomes[1]
        return "" if is_one else "one key became two rollbacks"
    results = sorted(outcome.result.value for outcome in outcomes)
    if results == [Result.BLOCKED, Result.VERIFIED]:
        return ""
    return f"not one winner: {', '.join(results)}"


async def _main(races: int) -> Raced:
    whole = Raced()
    with quick_looks():
        async with own_temporal() as own:
            clients = (await own.client(), await own.client())
            while whole.races < races:
                whole = whole.and_then(await race(clients, own.folder, AT_ONCE))
                print(f"{whole.races} double starts", file=sys.stderr, flush=True)
    return whole


def main() -> None:
    """0 when every pair had exactly one winner."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--races", type=int, default=1_000)
    options = parser.parse_args()
    begun = time.monotonic()
    raced = asyncio.run(_main(options.races))
    figures = {**raced.model_dump(), "seconds": round(time.monotonic() - begun, 1)}
    print(json.dumps(figures, indent=None if options.json else 2), flush=True)
    end(1 if raced.violations else 0)


if __name__ == "__main__":
    main()
