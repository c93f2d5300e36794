"""What is said to an incident, and what it answers."""

from rollback_manager.alarms import Refused
from rollback_manager.decision.engine import Decision
from rollback_manager.decision.facts import Action
from rollback_manager.incident import Incident
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
