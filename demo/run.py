"""`rollback-manager demo`: one bad release in a small real world, and the way back from it."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from demo.catalogue import catalogue_text
from demo.load import Load
from demo.measures import Moments, Readiness, evidence, figures
from demo.world import World
from rollback_manager import report as reports
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import (
    SEARCH_ATTRIBUTES,
    AbortCommand,
    MarkRelease,
    RecordRelease,
    ReleaseRequest,
)
from rollback_manager.errors import RollbackError
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackOutcome, exit_code
from rollback_manager.release import Standing
from rollback_manager.rendering import html, markdown
from starters import history
from starters.console import SECURITY_LINE
from starters.following import follow
from workers import wiring, worker
from workers.process import end, say
from workers.settings import Settings
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer
from workers.watchdogs import watch_over

ENV, SERVICE, BY = "demo", "shop", "ci:demo"
INSTANCES, WARM = 4, 2
"""Instances of each version, and how many of the old one a thrifty deployer leaves running."""
MEASURE_S, HURT_S, AFTER_S = 8.0, 6.0, 5.0
LONGEST_S = 240.0


class Demo:
    """The world, the server, a worker and a client, and the story that is played with them."""

    def __init__(self, world: World, load: Load, client: RollbackClient, ui_url: str) -> None:
        self.world, self.load, self.client, self.ui_url = world, load, client, ui_url

    async def release_good(self) -> None:
        """v1 goes out, is recorded, and is found to be good."""
        say("v1 goes out: 4 instances, all users")
        await asyncio.to_thread(self.world.add_version, "v1", instances=INSTANCES)
        await asyncio.to_thread(self.world.set_shares, {"v1": 100}, "deploy-v1")
        self.load.start()
        await self._record("v1")
        say(f"v1 is measured for {MEASURE_S:.0f} s: the baseline")
        mark = MarkRelease(
            env=ENV,
            service=SERVICE,
            version="v1",
            by=BY,
            standing=Standing.VERIFIED,
            measure_s=MEASURE_S,
        )
        known = await self.client.releases(ReleaseRequest(ask=mark))
        say(f"v1 is verified: {known.releases[0].because}")

    async def release_bad(self) -> datetime:
        """v2 goes out, broken; v1 stays warm with fewer instances. When it met users."""
        say("v2 goes out, broken on purpose: 15 % errors, 20 % slow answers")
        await asyncio.to_thread(self._bring_up_bad)
        released = datetime.now(UTC)
        await asyncio.to_thread(self.world.set_shares, {"v2": 100}, "deploy-v2")
        await self._record("v2")
        await asyncio.to_thread(self.world.scale, "v1", WARM)
        return released

    def _bring_up_bad(self) -> None:
        self.world.add_version(
            "v2", instances=INSTANCES, error_ratio=0.15, slow_ratio=0.2, slow_ms=250
        )

    async def _record(self, version: str) -> None:
        ask = RecordRelease(env=ENV, service=SERVICE, version=version, by=BY)
        await self.client.releases(ReleaseRequest(ask=ask))

    async def start(self, released: datetime, folder: Path) -> Rollback:
        """As a CI job would: a process of its own, a key that makes a re-run harmless."""
        seen = self.load.summary(released)
        failed = sum(seen.failed.values()) + seen.by_us
        reason = f"{failed} of {seen.total} requests failed since v2 went out"
        say(f"users are being hurt: {reason}; P95 {seen.latency_p95_ms:.0f} ms")
        shown = folder / "evidence.json"
        points = [point.model_dump(mode="json") for point in evidence(seen)]
        shown.write_text(json.dumps(points), encoding="utf-8")
        command = ["start", SERVICE, "--env", ENV, "--yes", "--no-wait", "--json"]
        command += ["--idempotency-key", "demo-1", "--trigger", "ci", "--reason", reason]
        command += ["--evidence", str(shown)]
        say(f"the CI job: rollback-manager {' '.join(command[:8])} …")
        job = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rollback_manager",
            *command,
            env=self._surroundings(),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await job.communicate()
        return self.client.rollback(json.loads(said.splitlines()[-1])["rollback"])

    def _surroundings(self) -> dict[str, str]:
        address = self.client.temporal.service_client.config.target_host
        return {**os.environ, "TEMPORAL_ADDRESS": address}

    def page(self, rollback: Rollback) -> str:
        """The rollback in Temporal's Web UI."""
        return f"{self.ui_url}/namespaces/default/workflows/{quote(rollback.id, safe='')}"


async def play(folder: Path, out: Path, rate: float, keep: bool) -> tuple[dict[str, object], int]:
    """The whole story; the figures and the exit code."""
    async with _everything(folder, rate) as demo:
        await demo.release_good()
        released = await demo.release_bad()
        await asyncio.sleep(HURT_S)
        readiness = Readiness(demo.world)
        watching = asyncio.create_task(readiness.watch())
        asked = datetime.now(UTC)
        rollback = await demo.start(released, folder)
        await follow(rollback, LONGEST_S)
        if (await rollback.status()).outcome is None:  # nobody is here whom it could ask
            await rollback.abort(AbortCommand(by=BY, reason=f"not ended after {LONGEST_S:.0f} s"))
        outcome = await rollback.result()
        ended = datetime.now(UTC)
        watching.cancel()
        await asyncio.sleep(AFTER_S)
        plan = await _plan(rollback, demo)
        made = reports.build(await history.entries(demo.client.temporal, rollback.id))
        paths = _write_report(made, out)
        moments = Moments(released=released, asked=asked, ended=ended)
        measured = figures(
            plan, outcome, moments, demo.load.out, readiness.lowest, str(paths["html"])
        )
        _tell(demo, rollback, paths, outcome)
        if keep:
            await _until_interrupted(demo)
    return measured, exit_code(outcome)


@contextlib.asynccontextmanager
async def _everything(folder: Path, rate: float) -> AsyncIterator[Demo]:
    found = await find_binary(say)
    say(f"Temporal's dev server: {found.how}")
    say(SECURITY_LINE)
    async with contextlib.AsyncExitStack() as stack:
        world = World(folder)
        stack.callback(world.stop)
        world.start()
        say(f"the world is up: Envoy at {world.front_url}, supervisord, {rate:.0f} requests/s")
        load = Load(f"{world.front_url}/checkout", folder / "load.jsonl", rate=rate)
        stack.callback(load.stop)
        catalogue = folder / "catalogue.yaml"
        catalogue.write_text(catalogue_text(world), encoding="utf-8")
        settings = Settings(catalogue=catalogue, data=folder / "data")
        parts = wiring.parts(settings)
        server = TemporalServer(
            found.path,
            folder / "data" / "temporal.sqlite",
            None,
            None,
            folder / "logs" / "temporal.log",
            search_attributes=SEARCH_ATTRIBUTES,
        )
        await stack.enter_async_context(server)
        client = await Client.connect(server.address, data_converter=pydantic_data_converter)
        ours = await stack.enter_async_context(worker.make_worker(client, settings, parts))
        await watch_over(client, ours.task_queue, parts.catalogue.environments)
        yield Demo(world, load, RollbackClient(client), server.ui_url)


async def _plan(rollback: Rollback, demo: Demo) -> RollbackPlan:
    handle = demo.client.temporal.get_workflow_handle(rollback.id)
    plan: RollbackPlan = await handle.query("plan", result_type=RollbackPlan)
    return plan


def _write_report(made: reports.Report, out: Path) -> dict[str, Path]:
    out.mkdir(parents=True, exist_ok=True)
    pages = {
        "html": html.report(made),
        "md": markdown.report(made),
        "json": made.model_dump_json(indent=2),
    }
    paths = {kind: (out / f"report.{kind}").resolve() for kind in pages}
    for kind, text in pages.items():
        paths[kind].write_text(text, encoding="utf-8")
    return paths


def _tell(demo: Demo, rollback: Rollback, paths: dict[str, Path], outcome: RollbackOutcome) -> None:
    say(f"{outcome.result}: {outcome.because}. {outcome.effect}")
    say(f"report: {paths['html']}  (also .md and .json)")
    say(f"Web UI: {demo.page(rollback)}")


async def _until_interrupted(demo: Demo) -> None:
    address = demo.client.temporal.service_client.config.target_host
    say(f"left running until Ctrl-C.  export TEMPORAL_ADDRESS={address} ROLLBACK_ENV={ENV}")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


def demo(
    keep: Annotated[bool, typer.Option(help="Leave everything running until Ctrl-C")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as the last line")] = False,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Requests per second")] = 250.0,
    out: Annotated[Path, typer.Option(help="Folder for the report")] = Path("demo-report"),
) -> None:
    """Roll back a bad release in a small real world: real servers, real traffic, two minutes."""
    folder = Path(tempfile.mkdtemp(prefix="rb-"))  # short: a Unix socket's path has 108 bytes
    try:
        measured, code = asyncio.run(_interruptible(folder, out, rate, keep))
    except RollbackError as error:
        say(str(error))
        code = 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted; everything was stopped")
        code = 130
    else:
        print(json.dumps(measured) if as_json else _in_words(measured))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    end(code)


async def _interruptible(
    folder: Path, out: Path, rate: float, keep: bool
) -> tuple[dict[str, object], int]:
    """TERM ends it as Ctrl-C does: everything is stopped on the way out."""
    story = asyncio.ensure_future(play(folder, out, rate, keep))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, story.cancel)
    return await story


def _in_words(measured: dict[str, object]) -> str:
    return json.dumps(measured, indent=2)


def main() -> None:
    """`rollback-manager demo`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(demo)
    app()
