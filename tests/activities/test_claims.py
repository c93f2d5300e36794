"""Claims compared with what runs: silence, and a close in between, set nothing free."""

from datetime import UTC, datetime

import pytest

from activities.claims import Holders
from rollback_manager.claim import UNSAID, Claim, Purpose
from rollback_manager.errors import Blocked, Unreachable

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
OURS = "rollback/prod/ours"


def claim(rollback: str = OURS, service: str = "shop", epoch: int = 1) -> Claim:
    return Claim(env="prod", service=service, rollback=rollback, epoch=epoch, claimed_at=NOON)


class Kept:
    """Claims that are read as the next of these rows; the last one stays."""

    def __init__(self, *rows: list[Claim]) -> None:
        self._rows = list(rows)

    def claim(
        self, env: str, service: str, rollback: str, purpose: Purpose = UNSAID, above: int = 0
    ) -> int:
        raise AssertionError("nobody claims here")

    def claims(self, env: str, service: str | None = None) -> list[Claim]:
        row = self._rows.pop(0) if len(self._rows) > 1 else self._rows[0]
        return [one for one in row if service in {None, one.service}]


class Said:
    """Temporal, as one word: who started what runs; None: nothing runs; or no answer."""

    def __init__(self, answer: str | Exception | None) -> None:
        self._answer = answer

    def started_by(self, workflow_id: str) -> str | None:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


SILENT = Unreachable("Temporal does not say")


def test_a_service_that_nobody_claimed_is_free_without_asking_temporal() -> None:
    assert Holders(Kept([]), Said(SILENT)).adopted("prod", "shop", "") is None


def test_a_claim_that_closes_while_it_is_asked_about_leaves_a_free_service() -> None:
    assert Holders(Kept([claim()], []), Said(None)).adopted("prod", "shop", "") is None
    assert Holders(Kept([claim()], []), Said(None)).orphans("prod", lambda: None) == []


def test_a_temporal_that_does_not_answer_makes_no_orphan_and_no_free_service() -> None:
    for adopts in ("", OURS):
        with pytest.raises(Unreachable):
            Holders(Kept([claim()]), Said(SILENT)).adopted("prod", "shop", adopts)
    with pytest.raises(Unreachable):
        Holders(Kept([claim()]), Said(SILENT)).orphans("prod", lambda: None)


def test_the_lock_in_other_hands_does_not_make_an_older_claim_one_that_runs() -> None:
    holders = Holders(Kept([claim(), claim("rollback/prod/next", epoch=2)]), Said(OURS))
    assert [one.epoch for one in holders.orphans("prod", lambda: None)] == [2]
    with pytest.raises(Blocked, match=f"{OURS} holds it since 2026-05-01 12:00:00Z"):
        holders.adopted("prod", "shop", "")


def test_a_holder_that_has_not_claimed_yet_is_named_without_a_time() -> None:
    holders = Holders(Kept([claim()]), Said("rollback/prod/next"))
    with pytest.raises(Blocked, match=r"already: rollback/prod/next holds it\n"):
        holders.adopted("prod", "shop", OURS)


def test_orphans_come_by_service_and_the_newest_first() -> None:
    rows = [claim("a"), claim("b", epoch=2), claim("c", service="cart")]
    breaths: list[int] = []
    found = Holders(Kept(rows), Said(None)).orphans("prod", lambda: breaths.append(1))
    assert [one.rollback for one in found] == ["c", "b", "a"]
    assert len(breaths) == 3, "a heartbeat before each question"
