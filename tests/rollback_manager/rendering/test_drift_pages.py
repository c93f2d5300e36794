"""What changed since the target was recorded is read on every surface that shows a plan."""

from pathlib import Path

from rollback_manager.plan import RollbackPlan
from rollback_manager.rendering import terminal_plan, web_ui

GOLDEN = Path(__file__).parents[2] / "golden" / "plan.RollbackPlan.json"
CHANGED = "ConfigMap shop-config: 2 keys differ: A, B"


def plan(**more: tuple[str, ...]) -> RollbackPlan:
    made = RollbackPlan.model_validate_json(GOLDEN.read_text(encoding="utf-8"))
    one = made.services[:1]
    seen = made.found[0].model_copy(update={"service": one[0].service, **more})
    return made.model_copy(update={"services": one, "found": (seen,), "waves": ((seen.service,),)})


def test_the_terminal_tells_what_changed_what_ends_the_way_and_what_was_not_asked() -> None:
    shown = terminal_plan.plan(
        plan(drift=(CHANGED,), until=("its history forgot it",), not_asked=("the registry",))
    )
    assert "CHANGED SINCE" in shown
    assert CHANGED in shown
    assert "its history forgot it" in shown
    assert "the registry" in shown


def test_where_nothing_was_frozen_nothing_is_claimed() -> None:
    assert "CHANGED SINCE" not in terminal_plan.plan(plan())


def test_nothing_found_is_not_nothing_asked() -> None:
    assert "nothing that was asked" in terminal_plan.plan(plan(not_asked=("the registry",)))


def test_the_web_ui_shows_it_beneath_the_plan() -> None:
    lines = "\n".join(web_ui._drift(plan(drift=(CHANGED, "[x](y)"))))
    assert f"- {CHANGED}" in lines
    assert "[x](y)" not in lines, "names of foreign objects are no markup"
