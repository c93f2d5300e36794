"""What a failed journey says of the release, and what it does not."""

import pytest

from rollback_manager.statistics.evidence import Answer
from rollback_manager.statistics.journeys import Asked, Told, judge_journeys, told
from rollback_manager.verification import Answer as Said
from rollback_manager.verification import Verdict

REGRESSED, FINE, CANNOT_TELL = Answer
ANSWERS = {"+": Said.PASSED, "-": Said.FAILED, "?": Said.ERROR}


def verdict(sign: str) -> Verdict | None:
    if sign == " ":
        return None
    return Verdict(check="journey: pay", answer=ANSWERS[sign], because=f"it is {ANSWERS[sign]}")


@pytest.mark.parametrize(
    ("new", "old", "front", "answer"),
    [
        ("+", "+", " ", FINE),
        ("-", "+", " ", REGRESSED),
        ("-", "-", " ", CANNOT_TELL),
        ("-", "?", " ", CANNOT_TELL),
        ("-", " ", " ", CANNOT_TELL),
        ("?", "+", " ", CANNOT_TELL),
        ("-", " ", "-", REGRESSED),
        ("-", " ", "+", CANNOT_TELL),
        ("+", " ", "-", FINE),
        (" ", " ", "-", REGRESSED),
        (" ", " ", "+", FINE),
        (" ", "+", " ", CANNOT_TELL),
        (" ", " ", " ", CANNOT_TELL),
    ],
)
def test_a_failure_is_the_releases_where_the_journey_is_well_without_it(
    new: str, old: str, front: str, answer: Answer
) -> None:
    said = told(Asked(verdict(new), verdict(old), verdict(front)))
    assert said.answer is answer
    assert said.compared is (answer is REGRESSED and old == "+")


BAD, WELL = Told(REGRESSED, "404", compared=True), Told(FINE, "200")


@pytest.mark.parametrize(
    ("rounds", "answer"),
    [
        ([BAD, BAD, BAD], REGRESSED),
        ([WELL, BAD, BAD], CANNOT_TELL),
        ([BAD, BAD], CANNOT_TELL),
        ([BAD, WELL, BAD], CANNOT_TELL),
        ([BAD, BAD, WELL], FINE),
        ([BAD, BAD, Told(CANNOT_TELL, "hold")], CANNOT_TELL),
        ([], CANNOT_TELL),
    ],
)
def test_three_rounds_in_a_row_count(rounds: list[Told], answer: Answer) -> None:
    assert judge_journeys([{"pay": one} for one in rounds], 30).answer is answer


def test_it_is_one_journey_that_must_fail_three_times() -> None:
    rounds = [{"pay": BAD, "look": WELL}, {"pay": WELL, "look": BAD}, {"pay": BAD, "look": WELL}]
    assert judge_journeys(rounds, 30).answer is CANNOT_TELL
    one = judge_journeys([{"pay": BAD, "look": WELL}] * 3, 30)
    assert (one.answer, one.because, one.lasted_s) == (REGRESSED, "pay: 404", 60)
    assert one.compared
