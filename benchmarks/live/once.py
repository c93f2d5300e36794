"""`python -m benchmarks.live.once`: one run in a world of its own; what was found, as JSON."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.service import RPCError

from benchmarks.live.evidence import Proxy, first_bad_at, since, users
from benchmarks.live.plan import Asked, Run, Stages
from demo.measures import last_step, seconds_between
from demo.run import AFTER_S, ENV, SERVICE, Demo, ended, everything
from demo.scenarios import SCENARIOS
from rollback_manager.contract import incident_id
from rollback_manager.incidents.incident_status import IncidentStatus
from rollback_manager.plan import ActionKind
from rollback_manager.progress import Result, RollbackOutcome
from workers.process import end

RATE = 250.0
"""Users' requests per second, the demo's own."""
SHARE = 50
"""Per cent of the traffic that the demo releases v2 with."""
WATCHED_S = 105.0
"""A release is well if nothing was done to it so long after both its first users and the moment at
which the others break: longer than the minute in which the seed has a bad one noticed, and than the
90 s within which the detector allows for a warm-up."""
MISSED_S = 240.0
"""After the fault: one that was not taken back by then was missed."""


@dataclass
class Found:
    """What a run has come to so far."""

    released: datetime
    broke_at: datetime
    incident: IncidentStatus | None = None
    opened_at: datetime | None = None
    outcome: RollbackOutcome | None = None


async def play(asked: Asked, folder: Path) -> Run:
    """The whole run; the world is gone when it returns."""
    scenario, load_average, began = SCENARIOS[asked.scenario], os.getloadavg()[0], datetime.now(UTC)
    async with everything(folder, RATE, scenario, asked.breaks_after_s) as demo:
        await demo.release_good()
        found = Found(await demo.release_next(), demo.breaks_at)
        async with _looked_at(Proxy(demo.world, SHARE)) as proxy:
            await (_bad if scenario.rolls_back else _good)(demo, found)
            await _incident(demo, found)
            await asyncio.sleep(AFTER_S)
        watched_s, load = seconds_between(found.released, datetime.now(UTC)), demo.load.out
    answers = since(load, found.released)
    first_bad = first_bad_at(answers, scenario, found.broke_at)
    run = Run(
        seed=asked.seed,
        number=asked.number,
        scenario=asked.scenario,
        began_at=began,
        seconds=(datetime.now(UTC) - began).total_seconds(),
        load_average=round(load_average, 2),
        incident=found.opened_at is not None,
        rollback=found.incident.rollback if found.incident else "",
        rolled_back=proxy.changed_at is not None,
        outcome=str(found.outcome.result) if found.outcome else "",
        because=found.incident.because if found.incident else "no incident was opened",
        asked_a_person=_asks(found),
        first_bad_s=seconds_between(found.released, first_bad),
        watched_s=watched_s,
        stages=_stages(found, proxy, first_bad),
        users=users(answers, scenario, _verified_at(found.outcome)),
    )
    return run.model_copy(update={"wrong": wrong(run)})


async def _bad(demo: Demo, found: Found) -> None:
    """Until it is taken back and users are well, or nothing came for too long."""
    until = found.broke_at + timedelta(seconds=MISSED_S)
    noticed = await demo.noticed((until - datetime.now(UTC)).total_seconds())
    if noticed is not None:
        found.outcome = (await ended(demo, noticed))[1]


async def _good(demo: Demo, found: Found) -> None:
    """Nobody would agree to anything here: what is done is done by itself."""
    well_at = max(found.released, found.broke_at) + timedelta(seconds=WATCHED_S)
    if not demo.scenario.bad:
        well_at = found.released + timedelta(seconds=WATCHED_S)
    await asyncio.sleep((well_at - datetime.now(UTC)).total_seconds())


async def _incident(demo: Demo, found: Found) -> None:
    """The incident as it stands, if one was opened, and when it was, by Temporal's own clock."""
    handle = demo.client.temporal.get_workflow_handle(incident_id(ENV, SERVICE, "v2"))
    with suppress(RPCError):
        found.opened_at = (await handle.describe()).start_time
        found.incident = await handle.query("status", result_type=IncidentStatus)


@asynccontextmanager
async def _looked_at(proxy: Proxy) -> AsyncIterator[Proxy]:
    watching = asyncio.create_task(proxy.watch())
    try:
        yield proxy
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _asks(found: Found) -> bool:
    decision = found.incident.decision if found.incident else None
    return decision is not None and decision.requires_approval


def _stages(found: Found, proxy: Proxy, first_bad: datetime | None) -> Stages:
    if first_bad is None:
        return Stages()
    decision = found.incident.decision if found.incident else None
    moments = {
        "incident": found.opened_at,
        "decision": decision.decided_at if decision else None,
        "change": proxy.changed_at,
        "away": proxy.away_at,
        "verified": _verified_at(found.outcome),
    }
    return Stages.model_validate(
        {name: seconds_between(first_bad, at) for name, at in moments.items()}
    )


def _verified_at(outcome: RollbackOutcome | None) -> datetime | None:
    if outcome is None or outcome.result is not Result.VERIFIED:
        return None
    shown = last_step(outcome.services[0].steps, ActionKind.VERIFY)
    return shown.finished_at if shown else None


def wrong(run: Run) -> str:
    """Why a run did not go as it should have; empty where it did."""
    if run.users is not None and run.users.unsent:
        return f"{run.users.unsent} requests were never sent: this machine was too busy"
    if not SCENARIOS[run.scenario].rolls_back:
        if run.rolled_back:
            return f"false rollback: {run.because}"
        return f"false rollback, which only asked: {run.because}" if run.rollback else ""
    if run.first_bad_s is None:
        return "no user had a bad answer: the fault never showed"
    if run.stages.incident is not None and run.stages.incident < 0:
        return f"false alarm, before the fault: {run.because}"
    if not run.rolled_back:
        return f"missed: {run.because}"
    if run.outcome != Result.VERIFIED:
        return f"ended {run.outcome}: {run.because}"
    lost = run.users.failed_when_well if run.users else 0
    return f"verified, and {lost} requests failed after that" if lost else ""


async def _interruptible(asked: Asked, folder: Path) -> Run:
    playing = asyncio.ensure_future(play(asked, folder))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    return await playing


def main() -> None:
    """The run as one line of stdout; 1 where there is none, with the reason on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (
        ("seed", int),
        ("number", int),
        ("scenario", str),
        ("breaks-after-s", float),
    ):
        parser.add_argument(f"--{name}", type=kind, required=True)
    asked = Asked(**vars(parser.parse_args()))
    folder = Path(tempfile.mkdtemp(prefix="rb-"))  # short: a Unix socket's path has 108 bytes
    try:
        run = asyncio.run(_interruptible(asked, folder))
    except BaseException:  # noqa: BLE001 -- the edge: the series keeps the words
        print(f"{traceback.format_exc()}its folder: {folder}", file=sys.stderr)
        end(1)
    if run.wrong:
        run = run.model_copy(update={"kept": str(folder)})
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(run.model_dump_json())
    end(0)


if __name__ == "__main__":
    main()
