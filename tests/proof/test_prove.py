"""What `rollback-manager prove` makes of its parts: one object in which nothing is hidden."""

from collections.abc import Sequence

import pytest

from proof.kill_matrix.figures import figures, table
from proof.kill_matrix.mechanisms import Mechanism
from proof.kill_matrix.points import Fault, Moment, Point
from proof.kill_matrix.run import Run
from proof.kill_matrix.without import Row
from proof.prove import together

Figures = dict[str, object]


def run(fault: Fault, *violations: str) -> Run:
    point = Point(
        strategy="canary", step=1, activity="redirect_traffic", moment=Moment.EFFECT, fault=fault
    )
    return Run(point, violations, 5.0, 2.0)


def row(with_it: Sequence[str] = (), without_it: Sequence[str] = ("I6: late",)) -> Row:
    return Row(Mechanism.FENCE, "frozen", with_it, without_it)


NEEDED = row()


def proved(
    *runs: Run, row: Row = NEEDED, soaked: Figures | None = None, disagreements: int = 0
) -> Figures:
    soak = soaked or {"runs": 3, "violations": []}
    messages: Figures = {"sequences": 4, "disagreements": disagreements}
    return together(figures(runs, 1, 9.0, 3), [row], soak, messages, 1, 20.0)


def test_runs_are_those_of_all_parts() -> None:
    told = proved(run(Fault.KILLED), run(Fault.LOST))
    assert told["runs"] == 2 + 2 + 3 + 4
    assert told["violations"] == []
    assert told["seeds"] == [1]
    assert told["by_fault"] == {
        "killed": {"runs": 1, "held": 1},
        "response lost": {"runs": 1, "held": 1},
    }


BROKEN = {
    "a run of the matrix": proved(run(Fault.KILLED, "I1: twice")),
    "a rollback of the soak": proved(soaked={"runs": 1, "violations": [{"run": "seed 1"}]}),
    "a mechanism that is not missed": proved(row=row(without_it=())),
    "a mechanism with which it does not hold": proved(row=row(with_it=("I2: below",))),
    "a message": proved(disagreements=1),
}


@pytest.mark.parametrize("part", BROKEN)
def test_a_violation_of_any_part_is_one_of_the_proof(part: str) -> None:
    violations = BROKEN[part]["violations"]
    assert isinstance(violations, list)
    assert len(violations) == 1


def test_the_table_counts_what_held() -> None:
    lines = table([run(Fault.KILLED), run(Fault.KILLED, "I1: twice"), run(Fault.LOST)])
    assert [line.split() for line in lines] == [
        ["killed", "response", "lost"],
        ["canary", "1", "of", "2", "1", "of", "1"],
    ]
