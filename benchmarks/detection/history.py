"""What a service of world S has learnt from its good releases before the one that is watched."""

import numpy as np

from benchmarks.detection.world import HEALTHY, Releases, S, World
from rollback_manager.statistics.envelope import EDGES_S, WarmUp
from rollback_manager.statistics.release_watch import History

OWN_RELEASES, FLEET_RELEASES, FLEET_RPS = 40, 400, 30
FLEET_SEED = 4242
"""The fleet's history belongs to the knobs: the same for all measurements."""


def warm_ups(rps: float, releases: int, seed: int) -> tuple[WarmUp, WarmUp]:
    """Errors and slowness of good releases of world S, both versions, per bin."""
    errors, slow = WarmUp.none(), WarmUp.none()
    for second in Releases(S, HEALTHY, rps, releases, seed):
        at_s = float(second.interval.at_s[0])
        if at_s > EDGES_S[-1]:
            break
        here = np.zeros(len(EDGES_S) - 1)
        here[np.searchsorted(EDGES_S, at_s - 0.5) - 1] = at_s > 0
        new, old = second.interval.new, second.interval.control
        errors += _counts(here, new.errors, new.requests, old.errors, old.requests)
        slow += _counts(here, new.slow, new.timed, old.slow, old.timed)
    return errors.of(releases), slow.of(releases)


def _counts(here: np.ndarray, *counts: np.ndarray) -> WarmUp:
    return WarmUp(0, *(here * one.sum() for one in counts))


class Histories:
    """History of services: their own 40 good releases, and the fleet's. All in world S as tuned."""

    def __init__(self) -> None:
        self.fleet = warm_ups(FLEET_RPS, FLEET_RELEASES, FLEET_SEED)

    def of(self, world: World, rps: float, seed: int) -> History:
        """A service's; the usual error ratio is the world's, the warm-up is world S's."""
        return History.of(world.base_error, warm_ups(rps, OWN_RELEASES, seed), self.fleet)
