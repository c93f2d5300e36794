"""Marks: whoever is late, is refused; whoever tries again, finds its own."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.contract import checked, plan_id, release_id, rollback_id, service_id
from rollback_manager.errors import PermanentError
from rollback_manager.operation import Mark, op_id

epochs = st.integers(0, 10**6)
steps = st.integers(0, 100)
op_ids = st.integers(0, 2**64 - 1).map("{:016x}".format)
marks = st.builds(Mark, op_id=op_ids, epoch=epochs, step=steps)


def mark(epoch: int, step: int, op: str = "ab") -> Mark:
    return Mark(op_id=op, epoch=epoch, step=step)


@pytest.mark.parametrize(
    ("late", "at_the_target"),
    [
        (mark(3, 9), mark(4, 1)),
        (mark(4, 4), mark(4, 5)),
        (mark(9, 9), mark(10, 0)),
    ],
)
def test_an_older_mark_is_refused(late: Mark, at_the_target: Mark) -> None:
    assert late.is_older_than(at_the_target)
    assert not at_the_target.is_older_than(late)


def test_the_epoch_counts_before_the_step() -> None:
    assert not mark(5, 1).is_older_than(mark(4, 99))


def test_a_retry_of_the_same_step_is_not_older() -> None:
    assert not mark(4, 4).is_older_than(mark(4, 4))


@given(marks, marks)
def test_of_two_marks_at_most_one_is_older(one: Mark, other: Mark) -> None:
    same = (one.epoch, one.step) == (other.epoch, other.step)
    assert one.is_older_than(other) + other.is_older_than(one) == (0 if same else 1)


@given(marks, marks, marks)
def test_age_is_transitive(one: Mark, two: Mark, three: Mark) -> None:
    if one.is_older_than(two) and two.is_older_than(three):
        assert one.is_older_than(three)


@given(marks)
def test_a_mark_is_read_back_as_it_was_written(written: Mark) -> None:
    assert Mark.parse(str(written)) == written


@pytest.mark.parametrize(
    "text", ["", "7", "1.2", "1.2.", "1.x.ab", "x.2.ab", "-1.2.ab", "1.2.ab.cd", "².2.ab", "1.¹.ab"]
)
def test_what_somebody_else_wrote_is_no_mark(text: str) -> None:
    assert Mark.parse(text) is None


@given(st.text(max_size=40))
def test_reading_a_mark_never_fails(text: str) -> None:
    found = Mark.parse(text)
    assert found is None or found.op_id == text.split(".")[2]


def test_every_attempt_of_a_step_has_the_same_op_id() -> None:
    assert op_id("rollback/demo/a", "shop", 2, "d1") == op_id("rollback/demo/a", "shop", 2, "d1")


def test_the_op_id_is_frozen_because_it_stands_at_targets() -> None:
    assert op_id("rollback/demo/a", "shop", 2, "d1") == "9455226df0c8080e"


@pytest.mark.parametrize(
    "other",
    [
        ("rollback/demo/b", "shop", 2, "d1"),
        ("rollback/demo/a", "cart", 2, "d1"),
        ("rollback/demo/a", "shop", 3, "d1"),
        ("rollback/demo/a", "shop", 2, "d2"),
    ],
)
def test_another_rollback_service_step_or_plan_has_another_op_id(
    other: tuple[str, str, int, str],
) -> None:
    assert op_id(*other) != op_id("rollback/demo/a", "shop", 2, "d1")


def test_ids_are_built_from_names() -> None:
    assert rollback_id("demo", "inc-1") == "rollback/demo/inc-1"
    assert service_id("demo", "shop") == "service/demo/shop"
    assert plan_id("demo", "k") == "plan/demo/k"
    assert release_id("demo", "shop", "v1.2_b") == "release/demo/shop/v1.2_b"


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "A", "a/b", "a b", "a\n", "ä", "a" * 64, "../x", "a'; DROP TABLE x"]
)
def test_what_is_not_a_name_gets_into_no_id(name: str) -> None:
    builders: tuple[Callable[[], str], ...] = (
        lambda: rollback_id(name, "k"),
        lambda: rollback_id("demo", name),
        lambda: service_id("demo", name),
        lambda: plan_id("demo", name),
        lambda: release_id("demo", "shop", name),
    )
    for build in builders:
        with pytest.raises(PermanentError, match="is not a name"):
            build()


def test_a_name_may_have_63_characters() -> None:
    assert checked("key", "a" * 63) == "a" * 63
