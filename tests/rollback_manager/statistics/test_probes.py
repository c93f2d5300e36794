"""Round after round of probes, until instances are unhealthy."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.probes import Probe, Probes

BEGAN = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
REGRESSED, FINE, CANNOT_TELL = Answer


def rounds(
    probes: Mapping[str, str], start_within_s: float = 0, since: Mapping[str, int] | None = None
) -> Probes:
    """Name of the instance → its probes, `+` or `-`, and a space where it is not there."""
    seen, born = Probes(start_within_s), since or {}
    for number in range(max(map(len, probes.values()))):
        at = BEGAN + timedelta(seconds=10 * number)
        seen = seen.with_round(
            [
                Probe(
                    name,
                    name.partition("-")[0],
                    row[number] == "+",
                    BEGAN + timedelta(seconds=born[name]) if name in born else None,
                )
                for name, row in probes.items()
                if row[number] != " "
            ],
            at,
        )
    return seen


def told(control: str = "v1", **probes: str) -> Finding:
    rows = {name.replace("_", "-"): row for name, row in probes.items()}
    return rounds(rows).finding("v2", control)


def test_three_failed_rounds_in_a_row_condemn_and_two_do_not() -> None:
    assert told(v2_1="+--", v2_2="+++", v1_1="+++").answer is CANNOT_TELL
    found = told(v2_1="+---", v2_2="++++", v1_1="++++")
    assert found.answer is REGRESSED
    assert found.effect == 0.5
    assert found.lasted_s == 20, "since the first of the failures"
    assert found.compared
    assert found.comparator == "1 healthy instances of v1"


def test_what_fails_in_the_old_version_as_well_is_not_the_release() -> None:
    found = told(v2_1="+---", v2_2="+---", v1_1="+++-", v1_2="+++-")
    assert found.answer is CANNOT_TELL
    assert "2 of 2 of v1 fail as well: not the release, hold" in found.because
    assert not found.compared


def test_one_of_many_old_instances_that_fails_excuses_nothing() -> None:
    old = {f"v1_{number}": "++++" for number in range(4)}
    assert told(v2_1="+---", **{**old, "v1_0": "++--"}).answer is REGRESSED


def test_beside_nothing_it_is_judged_alone_and_compared_with_nothing() -> None:
    found = told(control="", v2_1="+---")
    assert found.answer is REGRESSED
    assert not found.compared


def test_an_instance_that_was_stopped_is_forgotten() -> None:
    assert told(v2_1="--- ", v2_2="++++", v1_1="++++").answer is FINE


def test_a_new_instance_may_take_its_time_and_no_more() -> None:
    row = {"v2-1": "---", "v1-1": "+++"}
    assert rounds(row, start_within_s=60).finding("v2", "v1").answer is CANNOT_TELL
    assert rounds(row, start_within_s=60).starting("v2")
    assert rounds(row, start_within_s=15).finding("v2", "v1").answer is REGRESSED


@pytest.mark.parametrize("began", [0, 20])
def test_one_that_is_started_again_and_again_is_excused_once(began: int) -> None:
    """Its newest process is always young; since its first one it has had time enough."""
    seen = rounds({"v2-1": "---"}, start_within_s=15, since={"v2-1": began})
    assert seen.finding("v2", "").answer is REGRESSED


def test_one_that_was_up_once_is_not_starting_any_more() -> None:
    assert rounds({"v2-1": "+---"}, start_within_s=600).finding("v2", "").answer is REGRESSED


def test_what_failed_before_a_gap_did_not_fail_in_a_row() -> None:
    seen = rounds({"v2-1": "+--"}).forgotten()
    seen = seen.with_round([Probe("v2-1", "v2", passed=False)], BEGAN + timedelta(seconds=600))
    assert seen.finding("v2", "").answer is CANNOT_TELL
