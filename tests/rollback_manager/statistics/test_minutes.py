"""A number minute by minute becomes the days that a release is held to."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rollback_manager.statistics.business import Declared, judge_declared
from rollback_manager.statistics.evidence import Answer
from rollback_manager.statistics.minutes import Minutes

RELEASED = datetime(2026, 3, 10, 14, 0, 30, tzinfo=UTC)
FIRST = datetime(2026, 3, 10, 14, 1, tzinfo=UTC)
REGRESSED, FINE, CANNOT_TELL = Answer


def minute(offset: int, days: int = 0) -> datetime:
    return FIRST + timedelta(minutes=offset, days=-days)


def measured(days: int = 7, missing: frozenset[datetime] = frozenset()) -> Minutes:
    """Each minute's value is its offset from the release's first whole one, + 1000 per day back."""
    readings = {
        minute(offset, day): offset + 1000.0 * day
        for day in range(days + 1)
        for offset in range(-120, 30)
    }
    return Minutes(RELEASED, {at: v for at, v in readings.items() if at not in missing})


def test_the_same_minutes_of_former_days_stand_below_each_other() -> None:
    cut = measured().until(minute(9))
    assert cut is not None
    assert cut.days.shape == (7, 130)
    assert list(cut.days[0, :2]) == [880, 881]
    assert list(cut.days[6, -2:]) == [7008, 7009]
    assert list(cut.before[-2:]) == [-2, -1]
    assert list(cut.watched) == list(range(10))


def test_a_day_with_gaps_is_bridged_and_one_without_its_last_minutes_left_out() -> None:
    gap = frozenset({minute(3, 1), minute(4, 1), minute(9, 2)})
    cut = measured(missing=gap).until(minute(9))
    assert cut is not None
    assert len(cut.days) == 6, "of day 2 the newest minute is missing"
    assert cut.days[0, 123] == 1003
    assert not np.isnan(cut.days).any()


def test_a_day_that_was_hardly_measured_is_left_out() -> None:
    gap = frozenset(minute(offset, 1) for offset in range(-120, 0))
    cut = measured(missing=gap).until(minute(9))
    assert cut is not None
    assert len(cut.days) == 6


def test_a_gap_of_today_is_none_of_former_days() -> None:
    cut = measured(missing=frozenset({minute(5)})).until(minute(9))
    assert cut is not None
    assert np.isnan(cut.watched[5])


@pytest.mark.parametrize("offset", [-1, 1440])
def test_before_the_release_and_a_day_after_it_there_is_nothing_to_compare(offset: int) -> None:
    assert measured().until(minute(offset)) is None


@pytest.mark.parametrize(
    ("readings", "answer"),
    [
        ([9, 9, 4, 4, 4], REGRESSED),
        ([9, 9, 9, 4, 4], CANNOT_TELL),
        ([4, 4, 4, 9], FINE),
        ([4, None, 4, 4], CANNOT_TELL),
        ([4, 4], CANNOT_TELL),
        ([], CANNOT_TELL),
    ],
)
def test_three_readings_beyond_the_floor_in_a_row_count(
    readings: list[float | None], answer: Answer
) -> None:
    assert judge_declared(Declared(5), [10, 10, 10], readings).answer is answer


def test_what_is_lost_is_a_share_of_what_was_usual() -> None:
    assert judge_declared(Declared(5), [0, 0, 0, 8, 8, 8], [4, 4, 4]).effect == -0.5
    assert judge_declared(Declared(5, "lower"), [4, 4, 4], [6, 6, 6]).effect == -0.5
    assert judge_declared(Declared(5), [], [4, 4, 4]).effect == pytest.approx(-0.2)


def test_a_floor_that_was_broken_before_the_release_blames_nobody() -> None:
    found = judge_declared(Declared(5), [9, 4, 4, 4], [4, 4, 4])
    assert found.answer is CANNOT_TELL
    assert judge_declared(Declared(5), [4, 4, 9], [4, 4, 4]).answer is REGRESSED
