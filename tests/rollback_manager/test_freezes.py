"""Freezes know their direction: they stop the way forward, and the way back passes by rule."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_manager.catalogue import Catalogue
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError
from rollback_manager.freezes import (
    RULE,
    Direction,
    Freeze,
    declared,
    gates,
    in_force,
)
from rollback_manager.gates import GateAnswer

NOON = datetime(2026, 12, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WRITTEN = """\
version: 1
environments:
  prod:
    freezes:
      - from: {begins}
        until: 2026-12-27T06:00:00+01:00
        reason: holidays
        direction: {direction}
services: {{}}
"""


def freeze(**more: object) -> Freeze:
    words: dict[str, object] = {
        "env": "prod",
        "id": "f-1",
        "begins": NOON,
        "until": NOON + HOUR,
        "reason": "inventory is counted",
        "by": "ana@example.com",
    }
    return Freeze.model_validate({**words, **more})


def written(begins: str = "2026-12-24T12:00:00Z", direction: str = "deploys") -> Catalogue:
    return read_catalogue(WRITTEN.format(begins=begins, direction=direction))


@pytest.mark.parametrize(
    ("after", "holds"),
    [(-timedelta(seconds=1), False), (timedelta(), True), (HOUR, False), (HOUR / 2, True)],
)
def test_a_freeze_holds_from_its_first_moment_to_before_its_last(
    after: timedelta, holds: bool
) -> None:
    assert bool(in_force((freeze(),), "shop", NOON + after)) is holds


def test_a_freeze_that_was_lifted_holds_no_more() -> None:
    assert in_force((freeze(lifted_at=NOON),), "shop", NOON) == ()


def test_a_freeze_of_one_service_leaves_the_others_alone() -> None:
    known = (freeze(service="shop"), freeze(id="f-2", until=NOON + 2 * HOUR))
    assert [one.id for one in in_force(known, "shop", NOON)] == ["f-2", "f-1"]
    assert [one.id for one in in_force(known, "cart", NOON)] == ["f-2"]


def test_a_rollback_passes_a_freeze_by_a_rule_that_has_a_name() -> None:
    (gate,) = gates((freeze(),))
    assert (gate.gate, gate.answer) == ("freeze", GateAnswer.PASSED)
    assert gate.because.startswith(f"rule {RULE}: all of prod is frozen until 2026-12-24 13:00Z")
    assert "inventory is counted" in gate.because


def test_a_freeze_that_stops_rollbacks_too_names_who_must_agree() -> None:
    (gate,) = gates((freeze(), freeze(id="f-2", direction=Direction.ROLLBACKS_TOO)))
    assert gate.answer is GateAnswer.INCONCLUSIVE
    assert "an incident commander must approve" in gate.because


def test_where_nothing_is_frozen_there_is_no_gate() -> None:
    assert gates(()) == ()


def test_the_catalogue_declares_windows_by_absolute_times() -> None:
    (one,) = declared("prod", written().environments["prod"].freezes)
    assert (one.begins, one.until) == (NOON, datetime(2026, 12, 27, 5, tzinfo=UTC))
    assert (one.by, one.direction) == ("catalogue", Direction.DEPLOYS)
    both = written(direction="rollbacks_too").environments["prod"].freezes
    assert both[0].direction is Direction.ROLLBACKS_TOO


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        ("2026-12-24T12:00:00", "with its time zone"),
        ("2026-12-24", "write day, time and zone"),
        ("1766577600", "write day, time and zone"),
        ("2026-12-28T00:00:00Z", "until is not after from"),
    ],
)
def test_a_window_of_no_certain_time_is_a_mistake_with_its_line(begins: str, said: str) -> None:
    with pytest.raises(CatalogueError, match=said) as mistake:
        written(begins=begins)
    assert mistake.value.what.startswith("catalogue.yaml:5: environments.prod.freezes.0")


def test_another_direction_is_a_mistake() -> None:
    with pytest.raises(CatalogueError, match="'deploys' or 'rollbacks_too'"):
        written(direction="sideways")
