"""`rollback-manager demo`: one bad release in a small real world, and the way back from it."""

import asyncio
import contextlib
import json
import random
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer
from temporalio.service import RPCError

from demo.errors import WorldError
from demo.kubernetes.stage import PLAYABLE, on_kubernetes
from demo.load import Load
from demo.measures import Moments, Readiness, figures, seconds_between
from demo.scenarios import SCENARIOS, Scenario
from demo.slack import SlackStandIn
from demo.slack.beside import seen, told_in_slack
from demo.stage import INSTANCES, Setting, Stage, on_this_machine, product
from rollback_manager import report as reports
from rollback_manager.client import Rollback, RollbackClient
from rollback_manager.contract import (
    AbortCommand,
    Decision,
    MarkRelease,
    RecordRelease,
    ReleaseRequest,
    Vote,
    incident_id,
)
from rollback_manager.decision.facts import Action
from rollback_manager.errors import NotFound, RollbackError
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.incident_status import IncidentStatus, IncidentVerdict
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackOutcome, RollbackStatus, State, exit_code
from rollback_manager.release import Standing
from rollback_manager.rendering import html, markdown
from starters import console, history
from starters.console import SECURITY_LINE
from starters.following import follow
from workers.process import end, say
from workers.temporal_binary import find_binary

ENV, SERVICE, BY = "demo", "shop", "ci:demo"
MEASURE_S, AFTER_S = 8.0, 5.0
BREAKS_AFTER_S = 22.0, 34.0
"""Of the story's begin: some 8 to 20 s after v2 went out."""
CALM_S = 60.0
"""How long a good release is watched."""
LONGEST_S = 240.0
BEGINS_WITHIN_S = 10.0


class Demo:
    """The world, the server, a worker and a client, and the story that is played with them."""

    def __init__(
        self,
        stage: Stage,
        load: Load,
        client: RollbackClient,
        ui_url: str,
        scenario: Scenario,
        breaks_after_s: float,
        slack: SlackStandIn,
    ) -> None:
        self.slack = slack
        self.stage, self.world = stage, stage.world
        self.load, self.client, self.ui_url = load, client, ui_url
        self.scenario = scenario
        self.breaks_at = datetime.now(UTC) + timedelta(seconds=breaks_after_s)
        self._answered = False

    async def release_good(self) -> None:
        """v1 goes out, is recorded, and is found to be good."""
        say(f"v1 goes out: {INSTANCES} instances, all users")
        await asyncio.to_thread(self._bring_up, "v1", self.scenario.good)
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

    async def release_next(self) -> datetime:
        """v2 goes out to half of the users; v1 keeps the other half. When it met users."""
        say(f"v2 goes out to half of the users: {self.scenario.words}")
        await asyncio.to_thread(self._bring_up, "v2", self.scenario.bad)
        released = datetime.now(UTC)
        await asyncio.to_thread(self.world.set_shares, {"v1": 50, "v2": 50}, "deploy-v2")
        await self._record("v2")
        return released

    def _bring_up(self, version: str, faults: Mapping[str, float]) -> None:
        self.stage.bring_up(version, {**faults, "faults_from": self.breaks_at.timestamp()})

    async def _record(self, version: str) -> None:
        ask = RecordRelease(env=ENV, service=SERVICE, version=version, by=BY)
        await self.client.releases(ReleaseRequest(ask=ask))

    async def noticed(self, within_s: float) -> IncidentStatus | None:
        """What the product says of v2 once it goes back by itself; None if that does not come."""
        handle = self.client.temporal.get_workflow_handle(incident_id(ENV, SERVICE, "v2"))
        until = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < until:
            with contextlib.suppress(RPCError):  # there is no incident yet
                seen: IncidentStatus = await handle.query("status", result_type=IncidentStatus)
                if seen.rollback:
                    return seen
                await self._maybe_answer(seen)
            await asyncio.sleep(0.2)
        return None

    async def _maybe_answer(self, seen: IncidentStatus) -> None:
        """Where it should ask a person the demo is one, who says: rollback."""
        asked = seen.incident.status is Status.DECISION_MADE
        if not self.scenario.asks or not asked or self._answered:
            return
        self._answered = True
        say(f"it asks a person: {seen.because}")
        say("who says: rollback-manager incident decide shop v2 rollback")
        word = IncidentVerdict(action=Action.ROLLBACK, by=BY, reason="users get no answers")
        await self.client.incidents.decide(ENV, SERVICE, "v2", word)

    def page(self, rollback: Rollback) -> str:
        """The rollback in Temporal's Web UI."""
        return f"{self.ui_url}/namespaces/default/workflows/{quote(rollback.id, safe='')}"


async def play(
    folder: Path,
    out: Path,
    rate: float,
    keep: bool,
    scenario: Scenario,
    setting: Setting = on_this_machine,
) -> tuple[dict[str, object], int]:
    """The whole story; the figures and the exit code."""
    breaks_after_s = random.uniform(*BREAKS_AFTER_S)  # noqa: S311 -- a fault, no secret
    async with everything(folder, rate, scenario, breaks_after_s, setting) as demo:
        await demo.release_good()
        released = await demo.release_next()
        readiness = Readiness(demo.world)
        watching = asyncio.create_task(readiness.watch())
        incident = await demo.noticed(LONGEST_S if scenario.rolls_back else CALM_S)
        if incident is None:
            watching.cancel()
            return _left_alone(demo)
        say(f"noticed: {incident.because}")
        measured, code = await _to_the_end(demo, incident, released, readiness, out)
        watching.cancel()
        if keep:
            await _until_interrupted(demo)
    return measured, code if _as_meant(scenario, incident) else 1


def _as_meant(scenario: Scenario, incident: IncidentStatus) -> bool:
    """Whether it went back as it should: by itself, or on a person's word."""
    decided = incident.decision
    asked = decided is not None and decided.action is Action.MANUAL_REVIEW
    return scenario.rolls_back and asked == scenario.asks


async def _to_the_end(
    demo: Demo, incident: IncidentStatus, released: datetime, readiness: Readiness, out: Path
) -> tuple[dict[str, object], int]:
    rollback, outcome = await ended(demo, incident)
    ended_at = datetime.now(UTC)
    await asyncio.sleep(AFTER_S)
    plan = await _plan(rollback, demo)
    made = reports.build(await history.entries(demo.client.temporal, rollback.id))
    paths = _write_report(made, out)
    moments = Moments(released=released, asked=incident.incident.detected_at, ended=ended_at)
    measured = figures(plan, outcome, moments, demo.load.out, readiness.lowest, str(paths["html"]))
    _tell(demo, rollback, paths, outcome)
    return {**measured, "detection": _detection(demo, incident)}, exit_code(outcome)


async def ended(demo: Demo, incident: IncidentStatus) -> tuple[Rollback, RollbackOutcome]:
    """The rollback that came of the incident, followed to its end, and agreed to if it asks."""
    rollback = demo.client.rollback(incident.rollback)
    if incident.decision is not None and incident.decision.requires_approval:
        await _agree(rollback)
    await follow(rollback, LONGEST_S)
    if (await rollback.status()).outcome is None:  # nobody is here whom it could ask
        await rollback.abort(AbortCommand(by=BY, reason=f"not ended after {LONGEST_S:.0f} s"))
    return rollback, await rollback.result()


async def _agree(rollback: Rollback) -> None:
    """The trigger asks a person, as that of latency does; here the demo is one."""
    while (status := await _begun(rollback)).state is State.PLANNING:  # noqa: ASYNC110 -- asked
        await asyncio.sleep(0.2)
    if status.state is State.WAITING_FOR_APPROVAL:
        say("the decision asks a person, who agrees: rollback-manager approve")
        vote = Vote(plan=status.digest, by=BY, reason="users wait too long")
        await rollback.vote(Decision.APPROVE, vote, vote_id="demo")


async def _begun(rollback: Rollback) -> RollbackStatus:
    """An incident names its rollback before it starts it; on a busy machine that is seen."""
    until = asyncio.get_running_loop().time() + BEGINS_WITHIN_S
    while True:
        try:
            return await rollback.status()
        except NotFound:
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(0.2)


def _detection(demo: Demo, incident: IncidentStatus) -> dict[str, float | None]:
    """Seconds from the first bad answer: to the incident, and to the decision."""
    decided = incident.decision.decided_at if incident.decision else None
    return {
        "incident_s": seconds_between(demo.breaks_at, incident.incident.detected_at),
        "decision_s": seconds_between(demo.breaks_at, decided),
    }


def _left_alone(demo: Demo) -> tuple[dict[str, object], int]:
    """Nothing was rolled back: right for a good release, wrong for a bad one."""
    shares = demo.world.shares()
    say(f"nothing was rolled back; the traffic is {shares}")
    right = not demo.scenario.rolls_back and shares == {"v1": 50, "v2": 50}
    return {"outcome": "left_alone", "shares": shares, "right": right}, 0 if right else 1


@contextlib.asynccontextmanager
async def everything(
    folder: Path,
    rate: float,
    scenario: Scenario,
    breaks_after_s: float,
    setting: Setting = on_this_machine,
) -> AsyncIterator[Demo]:
    """The world, a Temporal of its own and a worker, with nothing released yet; all ended after."""
    found = await find_binary(say)
    say(f"Temporal's dev server: {found.how}")
    say(SECURITY_LINE)
    async with contextlib.AsyncExitStack() as stack:
        where = await setting(stack, folder, scenario, rate)
        slack = stack.enter_context(told_in_slack(where.catalogue))
        load = Load(f"{where.url}/checkout", folder / "load.jsonl", rate=rate)
        stack.callback(load.stop)
        brought_up = product(found.path, where.catalogue, folder)
        client, ui_url = await stack.enter_async_context(brought_up)
        asked = RollbackClient(client)
        yield Demo(where, load, asked, ui_url, scenario, breaks_after_s, slack)


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
    say("people were told, in a STAND-IN of Slack:")
    for line in seen(demo.slack):
        say(f"  {line}")
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
    scenario: Annotated[
        str, typer.Option(help=f"What becomes of v2: {', '.join(SCENARIOS)}")
    ] = "error_rate",
    kubernetes: Annotated[bool, typer.Option(help="On a Kubernetes control plane")] = False,
) -> None:
    """Roll back a bad release in a small real world.

    It is noticed and rolled back by itself, in two minutes.
    """
    playable = PLAYABLE if kubernetes else tuple(SCENARIOS)
    if scenario not in playable:
        where = " on Kubernetes" if kubernetes else ""
        what = f"there is no scenario {scenario[:80]!r}{where}; there are: {', '.join(playable)}"
        raise typer.BadParameter(what, param_hint="--scenario")
    setting = on_kubernetes if kubernetes else on_this_machine
    folder = Path(tempfile.mkdtemp(prefix="rb-"))  # short: a Unix socket's path has 108 bytes
    try:
        story = play(folder, out, rate, keep, SCENARIOS[scenario], setting)
        measured, code = asyncio.run(_interruptible(story))
    except (RollbackError, WorldError) as error:
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
    story: Coroutine[None, None, tuple[dict[str, object], int]],
) -> tuple[dict[str, object], int]:
    """TERM ends it as Ctrl-C does: everything is stopped on the way out."""
    playing = asyncio.ensure_future(story)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    return await playing


def _in_words(measured: dict[str, object]) -> str:
    return json.dumps(measured, indent=2)


def main() -> None:
    """`rollback-manager demo`."""
    console.main(console.single(demo))
