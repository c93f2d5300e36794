"""The role of incidents: where alarms go."""

from typing import Protocol

from rollback_manager.incidents.alarms import Alarm


class Incidents(Protocol):
    """The incidents of releases, one per release."""

    def alarm(self, alarm: Alarm) -> None:
        """Open the release's incident, or join it; again is counted there, not doubled.

        Raises Unreachable; then it is given again.
        """

    def recovered(self, alarm: Alarm) -> None:
        """Tell an open incident that this is so no more; where none is open, nobody is told.

        Raises Unreachable; then it is told again.
        """
