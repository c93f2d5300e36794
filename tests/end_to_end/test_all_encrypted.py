"""With `--encrypted` the last one: whatever the tests before it left in Temporal nobody can read.

Without it a few tests of others are carried out so, in a run of their own; `make encrypted` has
them all.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from temporalio.client import Client

from rollback_manager.client.codec import ENCRYPTED
from rollback_manager.progress import Result
from tests import encrypted
from tests.rig import Rig


@pytest.fixture(params=[1000], ids=["cached"])
def cached(request: pytest.FixtureRequest) -> int:
    """Once is enough."""
    size: int = request.param
    return size


@pytest.mark.encrypted
async def test_no_history_on_the_server_holds_anything_plain(
    client: Client, made: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    rollback = await made.start(reason="errors rose")
    assert (await rollback.result()).result is Result.VERIFIED
    seen, found = Counter[str](), list[str]()
    async for run in client.list_workflows():
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        seen["histories"] += 1
        for event in history.events:
            seen["payloads"] += event.SerializeToString().count(ENCRYPTED)
            found += [f"{run.workflow_type} {one}" for one in encrypted.plain_in(event)]
    with capsys.disabled():
        sys.stdout.write(f" encrypted: {dict(seen)} ")
    assert not found, found[:20]
    assert seen["histories"] >= 2
    assert seen["payloads"] >= 20


@pytest.mark.unencrypted
async def test_what_is_not_encrypted_would_be_found(made: Rig) -> None:
    """Of a rollback as it is by default: request, plan and outcome can be read."""
    rollback = await made.start(reason="errors rose")
    await rollback.result()
    found = [
        one for event in (await rollback.history()).events for one in encrypted.plain_in(event)
    ]
    assert any("errors rose" in one for one in found)
    assert len(found) > 10


ROOT = Path(__file__).parents[2]
GATEWAY = "tests/starters/gateway"
SAMPLE = (
    f"{GATEWAY}/test_pages.py::test_an_approval_is_confirmed_and_counts_and_says_so",
    f"{GATEWAY}/slack/test_door.py::test_one_click_approves_and_the_person_is_told",
    f"{GATEWAY}/test_ci.py::test_a_job_asks_sees_and_aborts_and_never_approves",
    f"{GATEWAY}/test_alerts.py::test_the_first_alert_opens_the_incident_and_others_join_it",
    "tests/workflows/test_secured.py::test_two_people_agree_and_nothing_else_counts_by_update_or_by_signal",
    "tests/end_to_end/test_all_encrypted.py::test_no_history_on_the_server_holds_anything_plain",
)  # fmt: skip


CHOSEN = (encrypted.OPTION, "-k", "not replayed")


@pytest.mark.unencrypted
def test_a_sample_of_others_holds_with_all_payloads_encrypted() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", *CHOSEN, *SAMPLE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    counted = re.search(r"encrypted: {'histories': (\d+), 'payloads': (\d+)}", ended.stdout)
    assert counted, ended.stdout
    assert int(counted[1]) >= 2 * (len(SAMPLE) - 1)
    assert f"{len(SAMPLE)} passed" in ended.stdout
