"""What is made ready is never made fewer: a controller may be told of more than there are."""

from activities.look import Look
from activities.targets import SharesAsSet, VersionState
from rollback_manager.metrics.reading import Snapshot
from tests.activities.test_drained import BEGUN


def kept(running: int, told: int) -> int:
    state = VersionState(
        version="v1", digest="sha256:v1", running=running, ready=running, maximum=9, told=told
    )
    shares = SharesAsSet(shares={"v1": 100}, mark=None, acknowledged=True)
    return Look(shares, {"v1": state}, Snapshot(taken_at=BEGUN, versions={})).kept("v1")


def test_pods_that_have_no_room_yet_count() -> None:
    assert kept(running=4, told=10) == 10
    assert kept(running=4, told=0) == 4, "nobody is told"
