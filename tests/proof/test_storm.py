"""A small alarm storm in every run of the tests: `make storm` is the whole one."""

from pathlib import Path

import pytest
from temporalio.client import Client

from proof.in_process import quick_looks
from proof.storm import ALIKE, MIXED, Kinds, storm


@pytest.mark.parametrize("kinds", [ALIKE, MIXED], ids=["alike", "mixed"])
async def test_a_storm_is_one_incident_and_one_rollback_and_counts_every_alarm(
    client: Client, tmp_path: Path, kinds: Kinds
) -> None:
    with quick_looks():
        seen = await storm(client, tmp_path, alarms=60, kinds=kinds, within_s=2)
    assert (seen.incidents, seen.rollbacks, seen.writes) == (1, 1, 1)
    assert (seen.given, seen.not_taken, seen.refused) == (60, 0, 0)
    assert seen.counted == 60, "those that came while it was being undone count as well"
    assert seen.joined == len(kinds)
    assert seen.holds
