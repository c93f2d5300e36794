"""What is said to an incident, and what it answers."""

from rollback_manager.alarms import Refused
from rollback_manager.decision.engine import Decision
from rollback_manager.decision.facts import Action
from rollback_manager.incident import Incident, Status
from rollback_manager.values import Value


class IncidentOpening(Value):
    """Which release it is about; the alarms follow by signal."""

    env: str
    service: str
    version: str


class IncidentVerdict(Value):
    """A person's word on an incident that asks for one."""

    action: Action
    by: str
    reason: str = ""


class IncidentStatus(Value):
    """How an incident stands.

    refused: alarms that were not acted on, the newest last. rollback: id of the one that came of
    it, empty where none did. because: why it stands so, in words.
    """

    incident: Incident
    decision: Decision | None = None
    refused: tuple[Refused, ...] = ()
    rollback: str = ""
    because: str = ""


class SeenIncident(Value):
    """An incident as a caller finds it.

    ended: empty while it runs; `completed`, or Temporal's word for another end (`terminated`).
    """

    status: IncidentStatus
    ended: str = ""

    @property
    def asks(self) -> bool:
        """Whether it waits for a person's word."""
        return not self.ended and self.status.incident.status is Status.DECISION_MADE


def unwanted(incident: Incident, verdict: IncidentVerdict) -> str:
    """Why a person's word cannot be followed now; empty if it can.

    An incident that is left to watch, or rolled back already, does not ask: whoever wants a
    rollback all the same starts one.
    """
    if verdict.action is Action.MANUAL_REVIEW:
        return "that is what you are asked for: say rollback, fix_forward or monitor"
    if incident.status is not Status.DECISION_MADE:
        return f"it asks nobody: it is {incident.status}"
    return ""
