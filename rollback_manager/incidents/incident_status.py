"""What is said to an incident, and what it answers."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from rollback_manager.authority.keys import VerifyKey
from rollback_manager.contract import RollbackRequest
from rollback_manager.decision.engine import Decision
from rollback_manager.decision.facts import Action
from rollback_manager.fleet.budget import MANUAL
from rollback_manager.incidents.alarms import Alarm, Refused, Sighting
from rollback_manager.incidents.incident import Incident, Status, join
from rollback_manager.progress import Ignored
from rollback_manager.values import Count, Value
from rollback_manager.watch.evidence_trace import EvidenceTrace


class IncidentVerdict(Value):
    """A person's word on an incident that asks for one.

    token: of the gateway, for just this; where its environment has signing keys, it alone counts.
    """

    action: Action
    by: str
    reason: str = ""
    token: str = Field(default="", repr=False)


class IncidentStatus(Value):
    """How an incident stands.

    refused: alarms that were not acted on, the newest last. rollback: id of the one that came of
    it, empty where none did. because: why it stands so, in words. trace: of the alarm that lit it.
    ignored: words that did not count, at most MOST_IGNORED.
    """

    incident: Incident
    decision: Decision | None = None
    refused: tuple[Refused, ...] = ()
    rollback: str = ""
    because: str = ""
    trace: EvidenceTrace = EvidenceTrace()
    ignored: tuple[Ignored, ...] = ()


class IncidentCarried(Value):
    """What goes on when an incident's history has become long.

    seen: has the trace, which the status leaves out. alarms: not judged yet. left_to: why nothing
    is done by itself any more; empty while it may be. keys: that sign people's words; used: the
    tokens that counted.
    """

    status: IncidentStatus
    seen: Sighting = Sighting()
    alarms: tuple[Alarm, ...] = ()
    left_to: str = ""
    judgements: Count = 0
    blocked: Count = 0
    keys: tuple[VerifyKey, ...] = ()
    used: tuple[str, ...] = ()


class IncidentOpening(Value):
    """Which release it is about; the alarms follow by signal. so_far: of one that goes on."""

    env: str
    service: str
    version: str
    so_far: IncidentCarried | None = None


def opened(opening: IncidentOpening, at: datetime) -> IncidentStatus:
    """Before the first alarm has been judged."""
    incident = Incident(
        env=opening.env, service=opening.service, version=opening.version, detected_at=at
    )
    return IncidentStatus(incident=incident, because="alarms come in")


UNDONE = (Status.RESOLVED, Status.VERIFICATION_FAILED)
"""The rollback has ended: nothing follows from an alarm any more."""


def with_late(incident: Incident, alarms: Iterable[Alarm]) -> Incident:
    """With what came while it was being undone, or just after: it is kept."""
    for alarm in sorted(alarms, key=lambda one: one.evidence.fired_at):
        incident = join(incident, alarm.evidence, alarm.times)
    return incident


def request_for(status: IncidentStatus, by: str, key: str) -> RollbackRequest:
    """The rollback that comes of it. by: the incident's own id where nobody asked for it.

    Only what begins by itself counts against the budget, and waits for those whom the decision
    asks; a person who asks has said so, and goes where the plan says.
    """
    incident = status.incident
    by_itself = by == incident.id
    own = status.decision if by_itself else None
    fired = incident.joined[0].newest.trigger if incident.joined else MANUAL
    return RollbackRequest(
        env=incident.env,
        services=(incident.service,),
        key=f"{incident.service}-{incident.version}-{key}",
        requested_by=by,
        reason=status.because,
        to_version=own.target_version or None if own else None,
        trigger=str(fired) if by_itself else MANUAL,
        incident=incident.id,
        needs_approval=own is not None and own.requires_approval,
        votes=own.votes_needed if own else 0,
        trace=status.trace,
    )


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


TAKES_A_WORD = (
    Status.DECISION_MADE,
    Status.MONITORING,
    Status.FIX_FORWARD_INITIATED,
    Status.ERROR,
)
"""Where nothing is under way, so that a person may still say otherwise."""


def unwanted(incident: Incident, verdict: IncidentVerdict) -> str:
    """Why a person's word cannot be followed now; empty if it can."""
    if verdict.action is Action.MANUAL_REVIEW:
        return "that is what you are asked for: say rollback, fix_forward or monitor"
    if verdict.by == incident.id:
        return "it is a person's word that is asked for: an incident gives none to itself"
    if incident.status not in TAKES_A_WORD:
        return f"it asks nobody: it is {incident.status}"
    return ""
