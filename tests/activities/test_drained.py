"""Nothing in flight counts only when it was read at two moments."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.look import Look, Looks
from activities.targets import SharesAsSet
from activities.traffic import drained
from proof.stand_ins import StandInService
from rollback_manager.metrics.reading import Counts, Snapshot

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def looks(*seen: tuple[float, int]) -> Looks:
    """Each: seconds at which the counters were read, and requests in flight on v2 then."""
    own = Looks(StandInService(shares_now={"v1": 100}, running={}).target())
    for seconds, in_flight in seen:
        counts = Counts(requests=0, errors=0, in_flight=in_flight, serving=0)
        taken_at = BEGUN + timedelta(seconds=seconds)
        shares = SharesAsSet(shares={"v1": 100}, mark=None, acknowledged=True)
        own.all.append(Look(shares, {}, Snapshot(taken_at=taken_at, versions={"v2": counts})))
    return own


@pytest.mark.parametrize(
    ("seen", "is_drained"),
    [
        (((0, 0),), False),
        (((0, 0), (0, 0), (0, 0)), False),  # one reading, looked at three times
        (((0, 0), (1, 0)), True),
        (((0, 1), (1, 0)), False),
        (((0, 1), (1, 0), (1, 0)), False),
        (((0, 1), (1, 0), (1, 0), (2, 0)), True),
        (((0, 0), (1, 1)), False),
    ],
)
def test_it_is_read_at_two_moments(seen: tuple[tuple[float, int], ...], is_drained: bool) -> None:
    assert (drained(looks(*seen), "v2") is not None) is is_drained
