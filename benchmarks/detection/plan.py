"""What is measured: traffics, faults, and how many releases."""

from dataclasses import dataclass, replace

from benchmarks.detection.families import EXTRA, FAMILIES, Maker
from benchmarks.detection.world import Fault

TRAFFICS = (1, 10, 100)
FAULTS = {
    "errors_11": Fault(errors=0.11),
    "errors_25": Fault(errors=0.25),
    "errors_50": Fault(errors=0.50),
    "p95_x2.1": Fault(latency=2.1),
    "late_11": Fault(errors=0.11, onset_s=600),
}


@dataclass(frozen=True)
class Plan:
    """Releases per cell: healthy ones in world S, in each shifted world, and bad ones.

    slow: of each kind, so many for the families that are slow to measure, which are left out of
    the shifted worlds; 0 leaves them out everywhere.
    """

    seed: int
    healthy: int
    shifted: int
    bad: int
    makers: dict[str, Maker]
    slow: int = 0

    @classmethod
    def full(cls, seed: int) -> "Plan":
        """The figures that are reported."""
        return cls(seed, 4000, 2000, 1000, FAMILIES | EXTRA, slow=40)

    @classmethod
    def quick(cls, seed: int) -> "Plan":
        """Enough to see that nothing broke."""
        return cls(seed, 1000, 300, 100, FAMILIES)

    def with_healthy(self, releases: int) -> "Plan":
        """So many healthy releases in every cell."""
        return replace(self, healthy=releases, shifted=releases)
