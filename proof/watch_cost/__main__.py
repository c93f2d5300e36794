"""`make watch-cost`: many releases under watch: events, CPU, memory, questions to the proxy."""

import argparse
import asyncio
import dataclasses
import json
import sys
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.targets import Target, Targets
from demo import envoy_admin
from proof.idle import Cost, say, used
from proof.in_process import release
from proof.own_temporal import own_temporal
from proof.stand_ins import StandInService
from proof.watch_cost.crowd import Crowd, crowd
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import RollbackClient
from rollback_manager.contract import watch_id
from rollback_manager.release import Standing
from workers import targets as workers_targets
from workers import wiring
from workers.settings import Settings
from workers.watchdogs import watch_over
from workers.worker import make_worker

ENV = "crowd"
START_S = 120.0


def catalogue(made: Crowd) -> Catalogue:
    """All services behind the one Envoy."""
    nowhere = {"kind": "supervisord", "socket": "/x", "program": "x"}

    def placed(service: str) -> dict[str, Any]:
        admin, routes = f"http://127.0.0.1:{made.admin}", str(made.routes(service))
        traffic = {"kind": "envoy", "admin": admin, "routes": routes, "route": service}
        place = {"workloads": nowhere, "traffic": traffic}
        return {"strategy": "canary", "environments": {ENV: place}}

    services = {service: placed(service) for service in made.services}
    return Catalogue.model_validate({"version": 1, "environments": {ENV: {}}, "services": services})


def targets(known: Catalogue, client: httpx.Client, kept: SqlRecords) -> Targets:
    """Real traffic; the instances behind it are stand-ins, since there is one process for all."""
    real = workers_targets.targets(known, client, kept)

    @cache
    def target(env: str, service: str) -> Target:
        world = StandInService(shares_now={"v1": 50, "v2": 50}, running={"v1": 3, "v2": 3})
        return dataclasses.replace(real(env, service), workloads=world, journeys=world)

    return target


def records(folder: Path, made: Crowd) -> SqlRecords:
    """v1 is verified, v2 has just gone out."""
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    upgrade(engine)
    kept = SqlRecords(engine)
    for service in made.services:
        kept.save_release(ENV, service, release("v1", Standing.VERIFIED, 60))
        kept.save_release(ENV, service, release("v2", Standing.CANDIDATE, 5))
    return kept


async def watch(options: argparse.Namespace) -> dict[str, object]:
    """The figures."""
    async with own_temporal(on_disk=True) as own:
        client = await own.client()
        with crowd(own.folder / "crowd", options.releases) as made, httpx.Client() as http:
            say(f"Envoy has {options.releases} services of two versions")
            known = catalogue(made)
            kept = records(own.folder, made)
            parts = wiring.Parts(known, kept, targets(known, http, kept))
            settings = Settings(data=own.folder, task_queue="watch-cost")
            async with make_worker(client, settings, parts):
                await watch_over(client, settings.task_queue, [ENV])
                await _all_watched(client, options.releases)
                return await _measured(client, own.server.pid, made, options)


async def _all_watched(client: Client, releases: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        seen = await RollbackClient(client).watch(ENV)
        if len(seen.watch.releases) == releases:
            return
        await asyncio.sleep(1)
    because = {one.because for one in seen.watch.trouble}
    raise SystemExit(f"{len(seen.watch.releases)} of {releases} releases are watched: {because}")


async def _measured(
    client: Client, temporal_pid: int, made: Crowd, options: argparse.Namespace
) -> dict[str, object]:
    before, began = await _now(client, temporal_pid, made), time.monotonic()
    say(f"all are watched; now {options.seconds:.0f} s of it")
    await asyncio.sleep(options.seconds)
    after, took_s = await _now(client, temporal_pid, made), time.monotonic() - began
    grown = {name: after[name] - value for name, value in before.items()}
    seen = await RollbackClient(client).watch(ENV)
    age_s = (datetime.now(UTC) - seen.looked_at).total_seconds() if seen.looked_at else None
    return {
        "releases": options.releases,
        "seconds": round(took_s, 1),
        "events_per_release_and_hour": grown["events"] / options.releases / took_s * 3600,
        "questions_per_s": round(grown["questions"] / took_s, 2),
        "worker_cores": round(grown["worker_s"] / took_s, 3),
        "envoy_cores": round(grown["envoy_s"] / took_s, 3),
        "temporal_cores": round(grown["temporal_s"] / took_s, 3),
        "worker_mib": round(after["worker_mib"], 1),
        "watched_at_the_end": len(seen.watch.releases),
        "last_look_s_ago": age_s,
        "troubles": len(seen.watch.trouble),
    }


async def _now(client: Client, temporal_pid: int, made: Crowd) -> dict[str, float]:
    cost = Cost.of(temporal_pid)
    about = await client.get_workflow_handle(watch_id(ENV)).describe()
    asked = envoy_admin.stats(made.admin, "http.admin.downstream_rq_total")
    return {
        "events": about.history_length,
        "questions": float(next(iter(asked.values()), 0)),
        "worker_s": cost.worker_s,
        "worker_mib": cost.worker_mib,
        "temporal_s": cost.temporal_s,
        "envoy_s": used(made.envoy_pid)[0],
    }


def main() -> None:
    """Exit 0 if all were watched to the end and history grew by ten events an hour at most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--releases", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    figures = asyncio.run(watch(options))
    print(json.dumps(figures, indent=None if options.json else 2))
    watched = figures["watched_at_the_end"] == options.releases
    events = figures["events_per_release_and_hour"]
    sys.exit(0 if watched and isinstance(events, float) and events <= 10 else 1)


if __name__ == "__main__":
    main()
