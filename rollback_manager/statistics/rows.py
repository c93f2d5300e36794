"""Many releases in one state, and one of them out of it again.

In every state the last axis of each number is the release, so states are put together and taken
apart without knowing what they mean.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar, cast

import numpy as np

from rollback_manager.statistics.envelope import Envelope, Envelopes
from rollback_manager.statistics.excess import Knobs

State = TypeVar("State")


def stacked(states: Sequence[State]) -> State:
    """All in one, in their order. Raises ValueError where their knobs differ."""
    return cast("State", _stacked(list(states)))


def row(state: State, release: int) -> State:
    """The state of one release, as if it had been alone."""
    return cast("State", _row(state, release))


def _stacked(states: list[Any]) -> Any:
    first = states[0]
    match first:
        case np.ndarray():
            return np.concatenate(states, axis=-1)
        case Envelope() | Envelopes():
            return Envelopes(tuple(envelope for one in states for envelope in _each(one)))
        case Knobs():
            if any(one != first for one in states):
                raise ValueError(f"the knobs of {first.test} differ between releases")
            return first
        case _:
            names = [field.name for field in fields(first)]
            return type(first)(*(_stacked([getattr(one, n) for one in states]) for n in names))


def _row(state: Any, release: int) -> Any:
    match state:
        case np.ndarray():
            return state[..., release : release + 1]
        case Envelopes():
            return state.each[release]
        case Envelope() | Knobs():
            return state
        case _:
            return type(state)(*(_row(getattr(state, f.name), release) for f in fields(state)))


def _each(one: Envelope | Envelopes) -> tuple[Envelope, ...]:
    return one.each if isinstance(one, Envelopes) else (one,)
