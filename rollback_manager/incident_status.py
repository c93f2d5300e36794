"""What is said to an incident, and what it answers."""

from rollback_manager.alarms import Alarm, Refused, Sighting
from rollback_manager.decision.engine import Decision
from rollback_manager.decision.facts import Action
from rollback_manager.incident import Incident
from rollback_manager.values import Count, Value


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


class IncidentCarried(Value):
    """What goes on when an incident's history has become long.

    alarms: not judged yet. left_to: why nothing is done by itself any more; empty while it may be.
    """

    status: IncidentStatus
    seen: Sighting = Sighting()
    alarms: tuple[Alarm, ...] = ()
    left_to: str = ""
    judgements: Count = 0
    blocked: Count = 0


class IncidentOpening(Value):
    """Which release it is about; the alarms follow by signal. so_far: of one that goes on."""

    env: str
    service: str
    version: str
    so_far: IncidentCarried | None = None
