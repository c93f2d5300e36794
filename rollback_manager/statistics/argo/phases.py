"""Phases of a measurement, of a metric and of a run of metrics, in Argo Rollouts' words."""

from collections.abc import Iterable
from enum import StrEnum


class Phase(StrEnum):
    """Where it stands, the worst last."""

    SUCCESSFUL = "Successful"
    RUNNING = "Running"
    PENDING = "Pending"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"
    FAILED = "Failed"

    @property
    def completed(self) -> bool:
        """Whether nothing more will come."""
        return self not in (Phase.RUNNING, Phase.PENDING)

    @property
    def stops_the_run(self) -> bool:
        """Whether a metric in this phase ends the others too."""
        return self in (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE)


def worst(phases: Iterable[Phase]) -> Phase | None:
    """The worst of them; None of none."""
    order = list(Phase)
    return max(phases, key=order.index, default=None)
