"""Records one history of each way a rollback can end: `python -m tests.record_histories`.

They are replayed by `tests/workflows/test_replay.py` for as long as such a workflow may be open.
Record anew only what is *added*: an old history is what an old build left behind.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.targets import VersionState
from demo.slack import SlackStandIn
from rollback_manager.authority.token import Dec
from rollback_manager.client import Rollback
from rollback_manager.contract import (
    SEARCH_ATTRIBUTES,
    AbortCommand,
    AbortMode,
    Decision,
    Vote,
    stay_id,
)
from rollback_manager.decision.facts import Action
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.triggers import Finding, TriggerKind
from rollback_manager.progress import State
from rollback_manager.release import Standing
from rollback_manager.statistics.unknown import TEST as UNKNOWN
from tests import rig
from tests.incident_rig import (
    BY_ITSELF,
    alarm,
    decide,
    end_budget,
    ended,
    give,
    incident,
    until,
    watch_over,
)
from tests.rig import Rig
from tests.secured import secured_rig, vote
from tests.told import SLACK_TOKEN, fitted, slack
from tests.workflows.holding import held_in
from tests.workflows.owned import owned
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer
from workflows.short import AT_ONCE

FOLDER = Path(__file__).parent / "histories"

ASKED: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
IN_A_MOMENT: dict[str, object] = {"approval": {"required": True, "deadline_s": 0.3}}
NOBODY_AT_FIRST: dict[str, object] = {
    "approval": {"required": True, "remind_s": 0.2, "escalate_s": 0.5, "deadline_s": 30}
}


Course = Callable[[Rig], Awaitable[Rollback]]
Handle = WorkflowHandle[Any, Any]
IncidentCourse = Callable[[Rig], Awaitable[list[Handle]]]


async def _verified(made: Rig) -> Rollback:
    return await made.start()


async def _approved(made: Rig) -> Rollback:
    return await _voted(made, Decision.APPROVE)


async def _rejected(made: Rig) -> Rollback:
    return await _voted(made, Decision.REJECT)


async def _voted(made: Rig, decision: Decision) -> Rollback:
    rollback = await made.start()
    status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
    await rollback.vote(decision, Vote(plan=status.digest, by="anna"), vote_id="1")
    return rollback


async def _secured(made: Rig) -> Rollback:
    """Nobody answers until more people are told; what is not signed is ignored; one signs."""
    rollback = await made.start(requested_by="cy@example.com")
    status = await made.until(rollback, lambda seen: seen.escalated)
    await rollback.abort(AbortCommand(by="eve@example.com"))
    await made.child().signal("go")
    await made.until(rollback, lambda seen: bool(seen.ignored))
    words = vote(status, Dec.APPROVE, "ana@example.com", time.time())
    await rollback.vote(Decision.APPROVE, words, vote_id="1")
    return rollback


async def _held(made: Rig) -> Rollback:
    return await _aborted(made, "drain", AbortMode.HOLD)


async def _restored(made: Rig) -> Rollback:
    return await _aborted(made, "clean_up", AbortMode.RESTORE)


async def _aborted(made: Rig, step: str, mode: AbortMode) -> Rollback:
    held = await held_in(made, step)
    await held.rollback.abort(AbortCommand(mode=mode, by="anna"))
    await made.told("abort")
    held.let_go()
    return held.rollback


async def _cancelled(made: Rig) -> Rollback:
    held = await held_in(made, "redirect_traffic")
    await made.client.get_workflow_handle(held.rollback.id).cancel()
    await made.told("abort")
    held.let_go()
    return held.rollback


async def _needs_human(made: Rig) -> Rollback:
    made.world.journeys_fail = True
    rollback = await made.start()
    await made.until(rollback, State.NEEDS_HUMAN)
    await made.answer(rollback, "skip_step", "verify")
    return rollback


async def _blocked(made: Rig) -> Rollback:
    made.records.mark_release("test", made.service, "v1", Standing.CANDIDATE, "", None)
    return await made.start()


async def _slice_fell_back(made: Rig) -> Rollback:
    made.world.after_write = lambda _: made.world.error_ratio.update(v1=0.2)
    rollback = await made.start()
    await made.until(rollback, State.NEEDS_HUMAN)
    made.world.after_write = lambda _: None
    made.world.error_ratio.clear()
    await made.answer(rollback, "retry_step", "check_slice")
    return rollback


async def _second_thoughts(made: Rig) -> Rollback:
    made.records.save_release("test", made.service, rig.release("v0", Standing.VERIFIED, 120))
    made.world.running["v0"] = 0
    made.world.error_ratio["v1"] = 0.3
    return await made.start()


async def _look_timed_out(made: Rig) -> Rollback:
    """Cold, so the first step looks whether it is ready by now; and that look takes too long."""
    made.world.running["v1"] = 0
    rollback = await made.start()
    status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
    seen, looks = made.world.versions, count()

    def slow() -> dict[str, VersionState]:
        if next(looks) == 0:
            time.sleep(1.5 * AT_ONCE.total_seconds())
        return seen()

    vars(made.world)["versions"] = slow
    await rollback.vote(Decision.APPROVE, Vote(plan=status.digest, by="anna"), vote_id="1")
    return rollback


async def _stays(made: Rig) -> Rollback:
    owned(made.world).agreed = True
    rollback = await made.start()
    await rollback.result()
    await made.client.get_workflow_handle(stay_id("test", made.service)).result()
    return rollback


COURSES: Mapping[str, tuple[Course, dict[str, object]]] = {
    "verified": (_verified, {}),
    "approved": (_approved, ASKED),
    "rejected": (_rejected, ASKED),
    "secured": (_secured, NOBODY_AT_FIRST),
    "expired": (_verified, IN_A_MOMENT),
    "aborted_by_hold": (_held, {}),
    "aborted_by_cancel": (_cancelled, {}),
    "restored": (_restored, {}),
    "needs_human_and_skip": (_needs_human, {}),
    "blocked": (_blocked, {}),
    "rolling": (_verified, {}),
    "slices": (_verified, {}),
    "slice_fell_back": (_slice_fell_back, {}),
    "second_thoughts": (_second_thoughts, {"further_attempts": 1}),
    "look_timed_out": (_look_timed_out, ASKED),
    "stays": (_stays, {"stay_checks_s": (0.3, 0.6, 0.9)}),
    "told": (_approved, ASKED),
}
"""Name of the files → what happens, and under which policy."""
STRATEGIES = {"rolling": "rolling_update", "slices": "generic", "slice_fell_back": "generic"}
"""Of those that are not blue_green."""
SECURED = ("secured",)
"""Those in which only signed decisions count."""


@contextmanager
def _told(made: Rig) -> Iterator[Rig]:
    """People hear of it, in a stand-in of Slack."""
    with SlackStandIn() as slack_, fitted(made, slack(slack_)) as told:
        os.environ[SLACK_TOKEN] = slack_.token
        yield told


AROUND: Mapping[str, Callable[[Rig], AbstractContextManager[Rig]]] = {"told": _told}
"""What else there is, where there is something."""


async def _undone_by_itself(made: Rig) -> list[Handle]:
    made.world.error_ratio = {"v2": 0.3}
    async with watch_over(made) as watch:
        await ended(made)
    return [watch, incident(made)]


async def _left_to_people(made: Rig) -> list[Handle]:
    await give(made, alarm(made, trigger=TriggerKind.FEATURE_REGRESSION, size=None))
    await until(made, Status.DECISION_MADE)
    await decide(made, Action.MONITOR)
    await until(made, Status.MONITORING)
    await give(made, alarm(made))
    await until(made, Status.MONITORING, alarms=2)
    await decide(made, Action.ROLLBACK)
    await ended(made)
    return [incident(made)]


async def _refused(made: Rig) -> list[Handle]:
    await give(made, alarm(made, fired_at=datetime(2026, 1, 1, tzinfo=UTC)))
    await ended(made)
    return [incident(made)]


async def _late_alarms(made: Rig) -> list[Handle]:
    made.world.error_ratio = {"v2": 0.3}
    await give(made, alarm(made))
    await until(made, Status.RESOLVED)
    await give(made, alarm(made))
    await ended(made)
    return [incident(made)]


async def _unknown(made: Rig) -> list[Handle]:
    """Nothing can be told of it for too long: it holds and asks; somebody takes it back."""
    silent = alarm(
        made,
        trigger=TriggerKind.PERFORMANCE_REGRESSION,
        finding=Finding.CANNOT_TELL,
        test=UNKNOWN,
        words="nothing is known of it for 120 s: it answers nothing",
        size=None,
        nats=0.0,
    )
    await give(made, silent)
    await until(made, Status.DECISION_MADE)
    await decide(made, Action.ROLLBACK)
    await ended(made)
    return [incident(made)]


INCIDENTS: Mapping[str, IncidentCourse] = {
    "noticed": _undone_by_itself,
    "settled_by_person": _left_to_people,
    "refused_alarm": _refused,
    "late_alarms": _late_alarms,
    "unknown": _unknown,
}
"""The same, of what watches releases and of the incidents that come of it."""


async def record(names: list[str]) -> None:
    """The named courses, or those without a file, on a dev server of this process's own."""
    wanted = names or [
        name for name in (*COURSES, *INCIDENTS) if not list(FOLDER.glob(f"{name}.*"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        found = await find_binary(print)
        log = Path(folder) / "log"
        server = TemporalServer(
            found.path, None, None, None, log, search_attributes=SEARCH_ATTRIBUTES
        )
        async with server:
            client = await Client.connect(server.address, data_converter=pydantic_data_converter)
            for name in wanted:
                work = _record_incident if name in INCIDENTS else _record
                await work(client, Path(folder) / name, name)


async def _record(client: Client, folder: Path, name: str) -> None:
    course, policy = COURSES[name]
    folder.mkdir()
    async with rig.rig(client, folder, cached=1000, policy=policy, manned=False) as unmanned:
        bare = replace(unmanned, strategy=STRATEGIES.get(name, "blue_green"))
        bare = secured_rig(bare) if name in SECURED else bare
        with AROUND.get(name, nullcontext)(bare) as made:
            async with made.worker():
                rollback = await course(made)
                await rollback.result()
        for history in await made.histories(rollback):
            _keep(name, history)


async def _record_incident(client: Client, folder: Path, name: str) -> None:
    folder.mkdir()
    async with rig.rig(client, folder, cached=1000, manned=False) as unmanned:
        unmanned.world.shares_now = {"v1": 50, "v2": 50}
        made = replace(unmanned, decisions=BY_ITSELF)
        await end_budget(client)
        async with made.worker():
            for handle in await INCIDENTS[name](made):
                _keep(name, await handle.fetch_history())


def _keep(name: str, history: WorkflowHistory) -> None:
    kind = history.workflow_id.split("/")[0]
    file = FOLDER / f"{name}.{kind}.json"
    text = json.dumps(json.loads(history.to_json()), separators=(",", ":"))
    file.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{file.name}: {len(history.events)} events, {len(text)} bytes\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
