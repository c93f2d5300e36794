"""Lanes share the work out, and begin nothing when the time is over."""

from proof.kill_matrix.bench import Bench
from proof.kill_matrix.lanes import Lanes


async def doubled(_: Bench, number: int) -> int:
    return 2 * number


async def test_every_piece_is_done_once() -> None:
    done = await Lanes(3).share_out(doubled, range(10))
    assert sorted(done) == [2 * number for number in range(10)]


async def test_nothing_is_begun_when_the_time_is_over() -> None:
    assert await Lanes(3).share_out(doubled, range(10), within_s=0) == []
