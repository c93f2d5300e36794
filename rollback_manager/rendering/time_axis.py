"""Where moments lie in a picture, and where their names find room."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from math import ceil, floor
from typing import NamedTuple

from rollback_manager.rendering.picture import longest_look

SHORT = 0.08
"""Length of a cut, as a part of all that was measured: a word across fits into it."""
MARKS = 8
"""At most so many marks on the axis, or they would touch."""
STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds between two marks; beyond them whole hours."""


class Cut(NamedTuple):
    """A time in which nobody looked and nothing happened, drawn shorter than it was."""

    begin: float
    end: float
    drawn: float


class TimeAxis:
    """Seconds since a moment, without the long times in which nobody looked.

    A person may need an hour to answer; the seconds in which traffic moves must still be seen.
    """

    def __init__(self, zero: datetime, times: Iterable[datetime]) -> None:
        self.zero = zero
        known = sorted(set(times))
        longest_s = longest_look(known).total_seconds()
        self._known = [self.seconds(at) for at in known]
        steps = list(pairwise(self._known))
        self._measured = sum(end - begin for begin, end in steps if end - begin <= longest_s)
        drawn = max(SHORT * self._measured, 1)
        longest_s = max(longest_s, drawn)
        self.cuts = [Cut(begin, end, drawn) for begin, end in steps if end - begin > longest_s]

    def seconds(self, at: datetime) -> float:
        """What a clock would say."""
        return (at - self.zero).total_seconds()

    def x(self, at: datetime) -> float:
        """Where the moment is drawn."""
        return self._drawn(self.seconds(at))

    def middle(self, cut: Cut) -> float:
        """Where the cut is drawn."""
        return self._drawn((cut.begin + cut.end) / 2)

    def marks(self) -> list[tuple[float, str]]:
        """Where on the axis stands what: whole steps, none of them within a cut."""
        first, last = self._known[0], self._known[-1]
        step = self._step()
        whole = (step * number for number in range(ceil(first / step), floor(last / step) + 1))
        seen = (s for s in whole if not any(cut.begin < s < cut.end for cut in self.cuts))
        return [(self._drawn(s), f"{s:g}") for s in seen]

    def _step(self) -> float:
        hours = ceil(self._measured / MARKS / 3600)
        return next((s for s in STEPS_S if self._measured / s <= MARKS), 3600.0 * hours)

    def _drawn(self, seconds: float) -> float:
        left_out = 0.0
        for begin, end, drawn in self.cuts:
            passed = min(max(seconds - begin, 0), end - begin)
            left_out += passed * (1 - drawn / (end - begin))
        return seconds - left_out


class _Block(NamedTuple):
    """Texts side by side: where their middle lies, and their widths."""

    middle: float
    widths: list[float]

    @property
    def half(self) -> float:
        return sum(self.widths) / 2


def spread(wanted: Sequence[tuple[float, float]], left: float, right: float) -> list[float]:
    """Middles as near as can be to where texts want to be, none of them on another or outside.

    wanted: middle and width of each, in order. Those that collide become one block, which lies
    where it moves them least.
    """
    blocks: list[_Block] = []
    for middle, width in wanted:
        block = _inside(_Block(middle, [width]), left, right)
        while blocks and blocks[-1].middle + blocks[-1].half > block.middle - block.half:
            block = _inside(_joined(blocks.pop(), block), left, right)
        blocks.append(block)
    return [place for block in blocks for place in _places(block)]


def _inside(block: _Block, left: float, right: float) -> _Block:
    middle = max(min(block.middle, right - block.half), left + block.half)
    return block._replace(middle=middle)


def _joined(one: _Block, other: _Block) -> _Block:
    ones, others = len(one.widths), len(other.widths)
    middle = (one.middle * ones + other.middle * others) / (ones + others)
    return _Block(middle, one.widths + other.widths)


def _places(block: _Block) -> Iterable[float]:
    end = block.middle - block.half
    for width in block.widths:
        yield end + width / 2
        end += width
