"""The summary of a job: of the end, or the outcome alone."""

import pytest

from rollback_manager.client import RollbackClient
from rollback_manager.errors import RollbackError
from rollback_manager.report import Report, build
from starters.ci import page
from starters.console import Answer
from tests import builders as b

ENDED = build(b.verified())
RUNS = ENDED.model_copy(update={"ended": None, "outcome": None})
ANSWER = Answer("", {"rollback": b.PARENT, "outcome": b.outcome().model_dump(mode="json")})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "ASK_EVERY_S", 0.01)
    monkeypatch.setattr(page, "CLOSING_S", 0.2)


async def summary(monkeypatch: pytest.MonkeyPatch, *reports: Report | RollbackError) -> str:
    """What stands on the page when the report is asked for again and again; the last one stays."""
    left = list(reports)

    async def asked(client: RollbackClient, rollback: str) -> Report:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, RollbackError):
            raise one
        return one

    monkeypatch.setattr(page, "_report", asked)
    return await page._summary(None, ANSWER)  # type: ignore[arg-type] # nobody is asked


async def test_a_history_that_has_not_ended_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = await summary(monkeypatch, RUNS, RUNS, ENDED)
    assert told.startswith("### VERIFIED")


@pytest.mark.parametrize("last", [RUNS, RollbackError("away")])
async def test_without_its_end_the_outcome_is_told_alone(
    monkeypatch: pytest.MonkeyPatch, last: Report | RollbackError
) -> None:
    told = await summary(monkeypatch, last)
    assert "STILL RUNNING" not in told
    assert "verified" in told.lower()
