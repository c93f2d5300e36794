"""Draws sequences with Hypothesis: what it finds, it also makes as short as it can."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proof.messages.post import UNREADABLE
from proof.messages.sequence import VOTES, Kind, Message, Mode, Sequence, World

WEIGHTS = {
    Kind.APPROVE: 5,
    Kind.REJECT: 1,
    Kind.HOLD: 1,
    Kind.RESTORE: 2,
    Kind.CANCEL: 1,
    Kind.PAUSE: 3,
    Kind.RESUME: 3,
    Kind.RETRY: 3,
    Kind.SKIP: 2,
    Kind.NONSENSE: 1,
    Kind.MEND: 2,
}
"""What moves a rollback comes oftener than what ends it: one ended early shows little."""
KINDS = tuple(kind for kind, weight in WEIGHTS.items() for _ in range(weight))


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(KINDS))
    names = ("anna", "bob", " ") if kind in VOTES else ("anna", "bob")
    return Message(
        kind=kind,
        by=draw(st.sampled_from(names)),
        right=draw(st.sampled_from((True, True, True, False))),
        variant=draw(st.integers(0, len(UNREADABLE) - 1)) if kind is Kind.NONSENSE else 0,
    )


ROUNDS: SearchStrategy[tuple[Message, ...]] = st.lists(_messages(), max_size=4).map(tuple)
AT_FIRST = st.one_of(st.just(()), st.just(()), ROUNDS)
"""Before there is a plan: most people know of a rollback only afterwards."""

SEQUENCES: SearchStrategy[Sequence] = st.builds(
    Sequence,
    required=st.sampled_from((True, True, True, False)),
    world=st.sampled_from(tuple(World)),
    rounds=st.tuples(AT_FIRST, st.lists(ROUNDS, min_size=1, max_size=3)).map(
        lambda drawn: (drawn[0], *drawn[1])
    ),
)


def batches(size: int) -> SearchStrategy[tuple[Mode, list[Sequence]]]:
    """So many sequences that are played at once, all in one mode."""
    many = st.lists(SEQUENCES, min_size=size, max_size=size)
    return st.tuples(st.sampled_from(tuple(Mode)), many)
