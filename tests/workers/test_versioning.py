"""Builds on a real server: what began on one ends on it, and a worker says that it gets nothing."""

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.contrib.pydantic import pydantic_data_converter

from demo.processes import until
from rollback_manager.contract import SEARCH_ATTRIBUTES, watchdog_id
from rollback_manager.progress import EndState, Result, State
from starters.builds import make_current
from starters.checkup import Finding, Level, of_server
from starters.refusals import UsageError
from tests import rig
from tests.record_histories import ASKED
from tests.rig import Rig
from tests.workers.deployed import PATIENCE_S, Builds, builds_of
from workers import temporal_server
from workers.plugin import WORKFLOWS
from workers.process import of_no_build
from workers.settings import Settings, load
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer
from workers.versioning import told_at_start
from workers.watchdogs import watch_over

pytestmark = pytest.mark.filterwarnings("ignore:Cannot find activity to cancel")
"""A watchdog's activity ends by itself while its cancel is on the way; an error ends the worker."""

ROOT = Path(__file__).parents[2]
LOOKS_OFTEN = (
    'matching.wv.VersionDrainageStatusVisibilityGracePeriod="1s"',
    'matching.wv.VersionDrainageStatusRefreshInterval="1s"',
)
"""Temporal looks every three minutes whether a build still has work, and not in the first three."""


@pytest.fixture(scope="module")
async def own_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    """A server of its own: which build is current holds for a whole namespace."""
    log = tmp_path_factory.mktemp("versions") / "log"
    found = await find_binary(print)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(temporal_server, "SETTINGS", temporal_server.SETTINGS + LOOKS_OFTEN)
        server = TemporalServer(
            found.path, None, None, None, log, search_attributes=SEARCH_ATTRIBUTES
        )
        async with server:
            yield server


@pytest.fixture
async def made(own_server: TemporalServer, tmp_path: Path) -> AsyncIterator[Rig]:
    client = await Client.connect(own_server.address, data_converter=pydantic_data_converter)
    async with rig.rig(client, tmp_path, cached=1000, policy=ASKED, manned=False) as one:
        yield one


@pytest.mark.parametrize("one", WORKFLOWS, ids=lambda one: str(one.__name__))
def test_every_workflow_says_how_it_behaves_across_builds(one: type) -> None:
    behaviour = workflow._Definition.must_from_class(one).versioning_behavior
    assert behaviour in (VersioningBehavior.PINNED, VersioningBehavior.AUTO_UPGRADE), (
        "PINNED ends on its own build; AUTO_UPGRADE is for those that live for weeks (0016)"
    )


async def test_rollbacks_end_on_the_build_on_which_they_began(made: Rig) -> None:
    builds = Builds(made)
    async with builds.worker("a"):
        await builds.make_current("a")
        held = await made.start()
        await made.until(held, State.WAITING_FOR_APPROVAL)
        async with builds.worker("b"):
            await builds.make_current("b")
            blocked = await made.start()
            assert (await blocked.result()).result is Result.BLOCKED, "the held one has the lock"
            await made.approve(held)
            assert (await made.ends_as(held, EndState.ROLLED_BACK)).result is Result.VERIFIED
            ended_on = [builds_of(history) for history in await made.histories(held)]
            assert ended_on == [{"a"}, {"a"}], "rollback and service, though b is current"
            assert builds_of(await blocked.history()) == {"b"}, "it began when b was current"
            await builds.until_drained("a")
    assert builds.served["a"]
    assert builds.served["b"]
    assert not builds.served["a"] & builds.served["b"], "no step of one ran on the other"


async def test_a_build_that_was_deployed_later_carries_whole_rollbacks_out(made: Rig) -> None:
    builds = Builds(made)
    async with builds.worker("c"):
        await builds.make_current("c")
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        await made.approve(rollback)
        await made.ends_as(rollback, EndState.ROLLED_BACK)
    assert [builds_of(one) for one in await made.histories(rollback)] == [{"c"}, {"c"}]


async def test_a_watchdog_goes_over_to_the_build_that_is_current(made: Rig) -> None:
    builds = Builds(made)
    watchdog = made.client.get_workflow_handle(watchdog_id("kept"))

    async def until_served_by(names: set[str]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while builds_of(await watchdog.fetch_history()) != names:
                await watchdog.signal("news", "of any kind: it is tasks that go over")
                await asyncio.sleep(0.2)

    async with builds.worker("e"):
        await builds.make_current("e")
        await watch_over(made.client, made.settings.task_queue, ["kept"])
        await until_served_by({"e"})
        async with builds.worker("f"):
            await builds.make_current("f")
            await until_served_by({"e", "f"})
            await watchdog.terminate()


async def test_a_worker_says_that_its_build_gets_nothing_and_the_line_that_changes_it(
    made: Rig, own_server: TemporalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBACK_TASK_QUEUE", made.settings.task_queue)
    line = make_current("d")
    with worker_process(tmp_path, own_server.address, "--build-id", "d") as log:
        said = log.read_text().splitlines()
        assert line in said, "on one line, as it is pasted"
        labels = ("error:", "production:", "next:")
        assert [sum(one.startswith(label) for one in said) for label in labels] == [1, 1, 1], said
        assert (await doctor_on_worker(made.client, Level.FAIL)).next_step == line
        await carry_out(line, own_server.address)
        well = await doctor_on_worker(made.client, Level.OK)
    assert "as d; the current build: d" in well.told
    assert await told_at_start(made.client, "d") == ("build: d, the current one",)


@contextmanager
def worker_process(folder: Path, address: str, *options: str) -> Iterator[Path]:
    """`rollback-manager worker` with these options, ready in the block; its log."""
    catalogue, log = folder / "catalogue.yaml", folder / "worker.log"
    catalogue.write_text(rig.catalogue("shop", {}).model_dump_json())
    words = [sys.executable, "-m", "rollback_manager", "worker", *options]
    words += ["--catalogue", str(catalogue), "--data", str(folder / "data")]
    with log.open("wb") as said:
        process = subprocess.Popen(
            words, cwd=ROOT, env={**os.environ, "TEMPORAL_ADDRESS": address}, stderr=said
        )
    try:
        until("it is ready", lambda: "worker is ready" in log.read_text(), 60, lambda: None)
        yield log
    finally:
        process.terminate()
        process.wait(60)


async def carry_out(line: str, address: str) -> None:
    """What a person pastes into a shell, once the server knows the worker."""
    binary = (await find_binary(print)).path
    # The queues of other tests are no part of this build; and nobody is there to be asked.
    words = [*shlex.split(line)[1:], "--address", address, "--yes", "--ignore-missing-task-queues"]
    async with asyncio.timeout(PATIENCE_S):
        while await (await asyncio.create_subprocess_exec(binary, *words)).wait():
            await asyncio.sleep(0.2)


async def doctor_on_worker(client: Client, level: Level) -> Finding:
    """What `doctor` says of the worker, once it comes out like that."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            worker = next(one for one in await of_server(client) if one.check == "worker")
            if worker.level is level:
                return worker
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("build_id", ["a; reboot", "$(id)", "-y", "a b", "__unversioned__"])
def test_a_build_id_that_means_something_to_a_shell_or_to_temporal_is_refused(
    build_id: str,
) -> None:
    with pytest.raises(UsageError, match="ROLLBACK_BUILD_ID"):
        load(build_id=build_id)


def test_a_build_id_may_be_whatever_git_describe_says() -> None:
    assert load(build_id="v1.2-3-g3fe3d93").build_id == "v1.2-3-g3fe3d93"
    assert load().build_id == "", "without one nothing changes"


async def test_serve_is_of_no_build_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    async def work(settings: Settings) -> None:
        seen.append(settings.build_id)

    await of_no_build(work)(Settings(build_id="d"))
    await of_no_build(work)(Settings())
    assert seen == ["", ""]
    assert capsys.readouterr().err.count("ROLLBACK_BUILD_ID") == 1


async def test_the_doctor_knows_that_workers_of_no_build_get_nothing_beside_a_current_one(
    made: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBACK_TASK_QUEUE", made.settings.task_queue)
    builds = Builds(made)
    async with made.worker():
        plain = f"polls the queue {made.settings.task_queue}"
        async with asyncio.timeout(PATIENCE_S):
            while (await doctor_on_worker(made.client, Level.OK)).told != plain:
                await asyncio.sleep(0.2)
        async with builds.worker("g"):
            await builds.make_current("g")
            told = "as no build, g; the current build: g"
            async with asyncio.timeout(PATIENCE_S):  # pollers are listed after they have polled
                while told not in (await doctor_on_worker(made.client, Level.OK)).told:
                    await asyncio.sleep(0.2)
