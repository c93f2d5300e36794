"""Makes a sequence that disagrees as short as it can be while it still disagrees."""

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Many

from proof.messages.play import Disagreement
from proof.messages.sequence import Mode, Sequence, World

Play = Callable[[Mode, Many[Sequence]], list[Disagreement]]
"""Plays all of them at once; those that disagree, in their order."""


def shrunk(found: Disagreement, play: Play) -> Disagreement:
    """The shortest one that taking away one thing after another leads to.

    All shorter ones are played at once, which costs little more than one of them.
    """
    while True:
        shorter = list(_shorter(found.sequence))
        still = play(found.mode, shorter) if shorter else []
        if not still:
            return found
        found = still[0]


def _shorter(sequence: Sequence) -> Iterator[Sequence]:
    rounds = sequence.rounds
    for number, messages in enumerate(rounds):
        before, after = rounds[:number], rounds[number + 1 :]
        if len(rounds) > 1:
            yield sequence.model_copy(update={"rounds": (*before, *after)})
        for place in range(len(messages)):
            fewer = (*messages[:place], *messages[place + 1 :])
            yield sequence.model_copy(update={"rounds": (*before, fewer, *after)})
    if sequence.world is not World.WELL:
        yield sequence.model_copy(update={"world": World.WELL})
