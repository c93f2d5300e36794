"""What the matrix consists of, and that its sample leaves nothing out."""

from proof.kill_matrix.points import WRITERS, Fault, Moment, points, sample
from rollback_manager.plan import ActionKind
from workflows.steps import ACTIVITIES

PLANNED = {
    "blue_green": ["prepare", "redirect_traffic", "drain", "verify", "clean_up"],
    "rolling_update": [
        *("prepare", "redirect_traffic", "stop_batch", "prepare", "redirect_traffic"),
        *("drain", "verify", "clean_up"),
    ],
}
WHOLE = [point for name, steps in PLANNED.items() for point in points(name, steps, 1)]


def test_every_activity_meets_every_fault_at_every_moment() -> None:
    cells = {(p.strategy, p.activity, p.moment, p.fault) for p in WHOLE}
    kinds = sum(len(set(steps)) for steps in PLANNED.values())
    assert len(cells) == len(WHOLE) == kinds * len(Moment) * 3


def test_each_point_is_at_a_step_of_its_activity() -> None:
    assert all(PLANNED[p.strategy][p.step] == p.activity for p in WHOLE)


def test_the_same_seed_draws_the_same_points() -> None:
    again = [point for name, steps in PLANNED.items() for point in points(name, steps, 1)]
    other = [point for name, steps in PLANNED.items() for point in points(name, steps, 2)]
    assert again == WHOLE
    assert other != WHOLE


def test_a_sample_has_each_strategy_with_each_fault_at_each_moment() -> None:
    chosen = sample(WHOLE, 24, seed=5)
    assert len(chosen) == 24
    assert {(p.strategy, p.moment, p.fault) for p in chosen} == {
        (name, moment, fault)
        for name in PLANNED
        for moment in Moment
        for fault in (Fault.KILLED, Fault.FROZEN, Fault.LOST)
    }


def test_the_kinds_that_write_are_those_that_the_product_has() -> None:
    reads = {ActionKind.DRAIN, ActionKind.VERIFY, ActionKind.CHECK_SLICE}
    elsewhere = {ActionKind.HOLD_OWNER, ActionKind.RESTORE_CONFIGURATION}  # not in this world
    assert {str(kind) for kind in ACTIVITIES if kind not in reads | elsewhere} == WRITERS
