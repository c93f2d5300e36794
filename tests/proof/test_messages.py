"""Random messages against the automaton: a sample, and what longer runs have found."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from temporalio.client import Client

from proof.in_process import quick_looks
from proof.messages import model
from proof.messages.drawing import SEQUENCES
from proof.messages.model import Automaton
from proof.messages.play import play
from proof.messages.sequence import Kind, Message, Mode, Sequence, World

APPROVE, REJECT, HOLD, CANCEL = (
    Message(kind=kind) for kind in (Kind.APPROVE, Kind.REJECT, Kind.HOLD, Kind.CANCEL)
)


def asked(*rounds: tuple[Message, ...]) -> Sequence:
    """Sent once the plan waits for an approval."""
    return Sequence(required=True, world=World.WELL, rounds=((), *rounds))


FOUND = {
    "a vote after an abort in one task was counted": asked((HOLD, APPROVE)),
    "an approval in one task with a cancel won": asked((APPROVE, CANCEL)),
    "the other way round": asked((CANCEL, APPROVE)),
    "a reject in one task with a cancel won": asked((CANCEL, REJECT)),
    "approve, then abort in one task": asked((APPROVE, HOLD)),
    "a second hold took the place of the first": asked(
        (HOLD, HOLD.model_copy(update={"by": "bob"}))
    ),
}
"""Shrunk examples, by what was wrong: they come in one workflow task."""


def drawn(number: int, count: int) -> list[Sequence]:
    """The same sequences for the same number."""
    some: list[Sequence] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(SEQUENCES)
    def draw(one: Sequence) -> None:
        some.append(one)

    draw()
    return some


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", Mode)
async def test_no_sequence_of_messages_leaves_the_automaton(
    client: Client, tmp_path: Path, mode: Mode
) -> None:
    found = list(FOUND.values()) if mode is Mode.ASLEEP else []
    with quick_looks():
        played = await play(client, tmp_path, mode, [*found, *drawn(len(mode), 8)])
    assert [one.disagreement for one in played if one.disagreement] == []


def test_the_automaton_lets_an_abort_win_in_either_order() -> None:
    for messages in ((APPROVE, HOLD), (HOLD, APPROVE)):
        waiting = model.rests({Automaton(True, World.WELL, Mode.ASLEEP)})
        ends = model.rests(model.sent(state, messages) for state in waiting)
        seen = {model.looks(state) for state in ends}
        assert {(one.result, one.end, one.writes) for one in seen} == {("aborted", "untouched", ())}
