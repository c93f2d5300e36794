"""`make bench-rollback`: from "this release is bad" to the first change, and to the end.

Every round makes each run once, ours and the plain alternatives, in an order that rotates and
without a rest: a short burst hides that Temporal dispatches sustained work more slowly.
"""

import asyncio
import json
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import temporalio
import typer

from benchmarks import startup
from benchmarks.figures import Figure, Row, progress, ratio, show
from benchmarks.minimal import Calls, FiveActivities, OneActivity, Task
from benchmarks.stage import (
    ASKS,
    GOES,
    LATENCY_S,
    MINIMAL_QUEUE,
    PlainServer,
    Stage,
    stage,
)
from rollback_manager.client import Rollback
from rollback_manager.contract import Decision, RollbackRequest, Vote, service_id
from rollback_manager.progress import Result, State
from workers.temporal_binary import CLI_VERSION
from workers.temporal_server import TemporalServer

PAIRS, QUICK = 30, 8
WARM_UP = 2
"""Rounds that are not counted: imports, first connections, the burst of §10 of the notes."""

Taken = dict[str, list[float]]
Run = Callable[[Stage, Taken], Awaitable[None]]


def main(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as last line")] = False,
    quick: Annotated[bool, typer.Option(help=f"{QUICK} pairs instead of {PAIRS}")] = False,
    pairs: Annotated[int, typer.Option(help="Rounds; every run is in each of them once")] = 0,
) -> None:
    """Ratios of a rollback against the plain alternatives, measured in this one run."""
    rounds = pairs or (QUICK if quick else PAIRS)
    measured = asyncio.run(_measured(rounds))
    show(f"A rollback on Temporal, {rounds} pairs", _rows(measured))
    if as_json:
        print(json.dumps(_answer(measured, rounds)))


async def _measured(rounds: int) -> dict[str, Taken]:
    """Times in ms (and events) by server: ours, and a dev server as it comes."""
    progress("start: --help and the import of the client, in processes of their own")
    times = max(5, rounds // 2)
    ours, plain = startup.import_ms(times)
    start: Taken = {"help": startup.help_ms(times), "import": ours, "import_temporal": plain}
    all_runs: tuple[Run, ...] = (one_activity, five_activities, by_asyncio, at_once, approved)
    brake_runs: tuple[Run, ...] = (one_activity, at_once)
    return {
        "start": start,
        "ours": await _taken(TemporalServer, all_runs, rounds),
        "plain": await _taken(PlainServer, brake_runs, max(5, rounds // 3)),
    }


async def _taken(server: type[TemporalServer], runs: tuple[Run, ...], rounds: int) -> Taken:
    taken: Taken = defaultdict(list)
    most = len(runs) * (rounds + WARM_UP)
    with tempfile.TemporaryDirectory(prefix="rollback-bench-") as folder:
        async with stage(Path(folder), most, server) as made:
            for number in range(rounds + WARM_UP):
                first = number % len(runs)
                for run in (*runs[first:], *runs[:first]):
                    await run(made, taken if number >= WARM_UP else defaultdict(list))
                if number % 5 == 0:
                    progress(f"{server.__name__}: round {number + 1} of {rounds + WARM_UP}")
    return taken


async def one_activity(made: Stage, taken: Taken) -> None:
    """Start → the write, by a workflow of one activity."""
    request = made.fresh(GOES)
    begun = time.perf_counter()
    await made.client.execute_workflow(
        OneActivity.run, _task(request), id=f"one/{request.key}", task_queue=MINIMAL_QUEUE
    )
    taken["one_activity_whole"].append(_ms(begun))
    taken["one_activity"].append(_to_change(made, request, begun))


async def five_activities(made: Stage, taken: Taken) -> None:
    """The same calls as a rollback, by five activities."""
    request = made.fresh(GOES)
    begun = time.perf_counter()
    await made.client.execute_workflow(
        FiveActivities.run, _task(request), id=f"five/{request.key}", task_queue=MINIMAL_QUEUE
    )
    taken["minimal"].append(_ms(begun))


async def by_asyncio(made: Stage, taken: Taken) -> None:
    """The same calls as a rollback, without Temporal."""
    request = made.fresh(GOES)
    calls = Calls(made.target, made.records)
    begun = time.perf_counter()
    await calls.by_asyncio(_task(request))
    taken["asyncio"].append(_ms(begun))


async def at_once(made: Stage, taken: Taken) -> None:
    """A rollback that nobody has to agree to: `start --yes`."""
    request = made.fresh(GOES)
    begun = time.perf_counter()
    rollback = await made.rollbacks.start(request)
    await _verified(rollback)
    taken["whole"].append(_ms(begun))
    taken["start"].append(_to_change(made, request, begun))
    child = made.client.get_workflow_handle(service_id(GOES, request.services[0]))
    taken["events"].append(len((await child.fetch_history()).events))
    taken["events_parent"].append(len((await rollback.history()).events))


async def approved(made: Stage, taken: Taken) -> None:
    """A rollback that waits for a vote, timed from the vote."""
    request = made.fresh(ASKS)
    rollback = await made.rollbacks.start(request)
    status = await rollback.status()
    while status.state is not State.WAITING_FOR_APPROVAL:
        await asyncio.sleep(0.002)
        status = await rollback.status()
    vote = Vote(plan=status.digest, by="benchmark")
    begun = time.perf_counter()
    await rollback.vote(Decision.APPROVE, vote, vote_id=request.key)
    await _verified(rollback)
    taken["approve"].append(_to_change(made, request, begun))


async def _verified(rollback: Rollback) -> None:
    outcome = await rollback.result()
    if outcome.result is not Result.VERIFIED:
        raise SystemExit(f"{rollback.id} ended {outcome.result}: {outcome.because}")


def _task(request: RollbackRequest) -> Task:
    return Task(env=request.env, service=request.services[0], rollback=request.key)


def _ms(begun: float) -> float:
    return 1000 * (time.perf_counter() - begun)


def _to_change(made: Stage, request: RollbackRequest, begun: float) -> float:
    changed_at = made.services[request.services[0]].changed_at
    if changed_at is None:
        raise SystemExit("the traffic was never changed")
    return 1000 * (changed_at - begun)


def _ratios(measured: dict[str, Taken]) -> dict[str, tuple[Figure, float | None]]:
    """Name → the ratio and its goal; 1.0 would be as fast as the plain alternative."""
    ours, start = measured["ours"], measured["start"]
    return {
        "approve_to_first_change_ratio": (ratio(ours["approve"], ours["one_activity"]), 2),
        "start_to_first_change_ratio": (ratio(ours["start"], ours["one_activity"]), 3),
        "whole_over_minimal_ratio": (ratio(ours["whole"], ours["minimal"]), 2),
        "whole_over_asyncio_ratio": (ratio(ours["whole"], ours["asyncio"]), None),
        "client_import_ratio": (ratio(start["import"], start["import_temporal"]), 1.2),
    }


def _rows(measured: dict[str, Taken]) -> list[Row]:
    ours, start = measured["ours"], measured["start"]
    ratios = [Row(name, figure, goal=goal) for name, (figure, goal) in _ratios(measured).items()]
    events = [
        Row("events_per_service", Figure.of(ours["events"]), "events", 35),
        Row("events_parent", Figure.of(ours["events_parent"]), "events"),
    ]
    times = [Row(name, figure, "ms") for name, figure in _times(ours).items()]
    brake = [
        Row(f"{name}, dev server as it comes", Figure.of(measured["plain"][key]), "ms")
        for name, key in (("one activity, whole", "one_activity_whole"), ("rollback", "whole"))
    ]
    return [*ratios, *events, Row("--help", Figure.of(start["help"]), "ms", 150), *times, *brake]


def _times(ours: Taken) -> dict[str, Figure]:
    names = {
        "approve": "approval → first change",
        "start": "start → first change",
        "one_activity": "one activity → its write",
        "one_activity_whole": "one activity, whole",
        "whole": "rollback",
        "minimal": "five activities",
        "asyncio": "plain asyncio",
    }
    return {words: Figure.of(ours[key]) for key, words in names.items()}


def _answer(measured: dict[str, Taken], rounds: int) -> dict[str, Any]:
    ours, plain, start = measured["ours"], measured["plain"], measured["start"]
    ratios = {name: figure for name, (figure, _) in _ratios(measured).items()}
    counts = {
        "events_per_service": Figure.of(ours["events"]),
        "events_parent": Figure.of(ours["events_parent"]),
        "help_ms": Figure.of(start["help"]),
    }
    brake_keys = ("one_activity_whole", "whole")
    return {
        **{name: round(figure.median, 3) for name, figure in {**ratios, **counts}.items()},
        "quartiles": {name: figure.spread for name, figure in {**ratios, **counts}.items()},
        "medians_ms": {key: round(Figure.of(ours[key]).median, 2) for key in sorted(_keys(ours))},
        "dispatch_brake": {
            "with_our_settings_ms": _medians(ours, brake_keys),
            "as_it_comes_ms": _medians(plain, brake_keys),
        },
        "pairs": rounds,
        "latency_per_call_ms": 1000 * LATENCY_S,
        "target": "tests/stand_ins.py behind the real activities, v1 warm",
        "versions": {
            "temporalio": temporalio.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "temporal_cli": CLI_VERSION,
        },
    }


def _keys(ours: Taken) -> set[str]:
    return set(ours) - {"events", "events_parent"}


def _medians(taken: Taken, keys: tuple[str, ...]) -> dict[str, float]:
    return {key: round(Figure.of(taken[key]).median, 2) for key in keys}


if __name__ == "__main__":
    typer.run(main)
