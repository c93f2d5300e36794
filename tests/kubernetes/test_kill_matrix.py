"""Workers killed, frozen and cut off at requests to a real API server change nothing.

An ordinary run carries out a fixed sample; `make kill-matrix-kubernetes` all of it.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from proof.kill_matrix.points import Fault, Moment, Point
from proof.kubernetes import without
from proof.kubernetes.bench import Bench
from proof.kubernetes.mechanisms import Mechanism
from proof.kubernetes.run import carry_out
from tests.kubernetes.cluster import Cluster

pytestmark = pytest.mark.timeout(300)

SAMPLE = (
    ("blue_green", 1, "redirect_traffic", Moment.EFFECT, Fault.KILLED, 4),
    ("generic", 1, "redirect_traffic", Moment.EFFECT, Fault.LOST, 4),
    ("stateful_set", 0, "prepare", Moment.BEFORE, Fault.FROZEN, 4),
)
"""Each with a seed by which it is the write that is struck."""


@pytest.fixture(scope="module")
async def bench(cluster: Cluster) -> AsyncIterator[Bench]:
    """On the control plane of these tests, with a Temporal and workers of its own."""
    async with Bench(cluster.own) as made:
        yield made


async def test_a_disturbed_worker_changes_nothing(bench: Bench) -> None:
    points = [
        Point(strategy=name, step=step, activity=kind, moment=moment, fault=fault, seed=seed)
        for name, step, kind, moment, fault, seed in SAMPLE
    ]
    runs = await asyncio.gather(*(carry_out(bench, one, compared=False) for one in points))
    assert {str(run.point): run.violations for run in runs} == {str(one): [] for one in points}
    (late,) = [run.late_write for run in runs if run.late_write]
    assert late == "refused"


@pytest.mark.long
@pytest.mark.parametrize("mechanism", Mechanism)
async def test_a_mechanism_that_is_taken_out_is_missed(bench: Bench, mechanism: Mechanism) -> None:
    with_it, without_it = await asyncio.gather(
        without.judged(bench, mechanism, without=False),
        without.judged(bench, mechanism, without=True),
    )
    assert with_it == []
    assert any(words.startswith(("I1", "I6")) for words in without_it), without_it
