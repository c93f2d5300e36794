"""From when on nothing is known of a release for so long that a person should look."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell
from rollback_manager.statistics.unknown import TEST, Unknown, asks, why_unknown

BEGAN = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


def said(test: str, answer: Answer, nats: float = 0.0, threshold: float = 0.0) -> Finding:
    found = cannot_tell(test, "something", f"{test} says so", threshold)
    return found.model_copy(update={"answer": answer, "evidence_nats": nats})


SILENT = said("silence", Answer.CANNOT_TELL, 20, 14)
HEARD = said("silence", Answer.FINE_SO_FAR, 1, 14)
WELL = said("instances", Answer.FINE_SO_FAR)
ILL = said("instances", Answer.REGRESSED)
THIN = said("error_ratio", Answer.CANNOT_TELL)


@pytest.mark.parametrize(
    ("findings", "unknown"),
    [
        ([SILENT, WELL, THIN], True),
        ([SILENT, ILL, THIN], False),
        ([HEARD, WELL, THIN], False),
        ([THIN], True),
        ([THIN, WELL], False),
        ([said("silence", Answer.CANNOT_TELL, 3, 14), WELL], False),
        ([], True),
    ],
)
def test_silence_or_no_answer_at_all_is_unknown(findings: list[Finding], unknown: bool) -> None:
    assert bool(why_unknown(findings)) is unknown


def after(seconds: range, findings: list[Finding], seen: Unknown | None = None) -> Unknown:
    one = seen or Unknown()
    for second in seconds:
        one = one.with_more(findings, BEGAN + timedelta(seconds=second))
    return one


def test_it_asks_from_the_policys_time_on_and_never_condemns() -> None:
    early, late = (after(range(end), [SILENT, WELL]).finding(120) for end in (100, 130))
    assert (early.answer, asks(early)) == (Answer.CANNOT_TELL, False)
    assert (late.answer, asks(late)) == (Answer.CANNOT_TELL, True)
    assert late.test == TEST
    assert late.because == "nothing is known of it for 129 s: it answers nothing, silence says so"


def test_one_answer_in_between_begins_the_time_anew() -> None:
    seen = after(range(100), [SILENT, WELL])
    seen = after(range(100, 101), [HEARD, WELL], seen)
    assert seen.finding(120).answer is Answer.FINE_SO_FAR
    assert not asks(after(range(101, 200), [SILENT, WELL], seen).finding(120))


def test_what_was_not_looked_at_did_not_stand() -> None:
    seen = after(range(100), [SILENT, WELL])
    assert not asks(after(range(300, 320), [SILENT, WELL], seen).finding(120))
