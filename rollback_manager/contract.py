"""What callers and workers share: ids, messages, their names, the queue and search attributes."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollback_manager.authority.keys import Seal, VerifyKey
from rollback_manager.authority.origin import Origin
from rollback_manager.authority.quorum import Quorum
from rollback_manager.errors import PermanentError
from rollback_manager.metrics.reading import Total
from rollback_manager.plan import Part, RollbackPlan, ServicePlan
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.release import Release, Standing
from rollback_manager.tier import Tier
from rollback_manager.values import Count, Value
from rollback_manager.watch.evidence_trace import EvidenceTrace

TASK_QUEUE = "rollback"

ROLLBACK_WORKFLOW = "RollbackWorkflow"
SERVICE_WORKFLOW = "ServiceRollbackWorkflow"
PLAN_WORKFLOW = "PlanWorkflow"
RELEASE_WORKFLOW = "ReleaseWorkflow"
ADOPT_WORKFLOW = "AdoptWorkflow"
WATCHDOG_WORKFLOW = "WatchdogWorkflow"
BUDGET_WORKFLOW = "BudgetWorkflow"
INCIDENT_WORKFLOW = "IncidentWorkflow"
WATCH_WORKFLOW = "WatchWorkflow"
DECISIONS_WORKFLOW = "DecisionsWorkflow"
CHECKUP_WORKFLOW = "CheckupWorkflow"
SOURCES_WORKFLOW = "SourcesWorkflow"
SOURCES_ID = "sources/all"
"""Workflow id of a look at where numbers are read."""
AUDIT_WORKFLOW = "AuditWorkflow"
STAY_WORKFLOW = "StayWorkflow"
DEPLOYS_WORKFLOW = "DeploysWorkflow"
GLASSES_WORKFLOW = "GlassesWorkflow"

SEARCH_ATTRIBUTES = {
    "RollbackEnv": "Keyword",
    "RollbackService": "Keyword",
    "RollbackServices": "KeywordList",
    "RollbackState": "Keyword",
    "RollbackSeverity": "Keyword",
    "RollbackStrategy": "Keyword",
    "RollbackTrigger": "Keyword",
    "RollbackIncident": "Keyword",
}
"""Registered when a server starts; never encrypted, so nothing secret or personal goes in."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""Environments, services, versions and keys: the parts of an id (255 characters in all)."""


def checked(kind: str, name: str) -> str:
    """The name itself, or an error: it becomes part of ids, files and queries."""
    if not NAME.fullmatch(name):
        raise PermanentError(
            f"{kind} {name[:80]!r} is not a name",
            effect="Production is unchanged.",
            next_step="Use 1 to 63 of a-z 0-9 . _ - and begin with a letter or a digit.",
        )
    return name


def rollback_id(env: str, key: str) -> str:
    """Workflow id of a rollback."""
    return f"rollback/{checked('environment', env)}/{checked('key', key)}"


def service_id(env: str, service: str) -> str:
    """Workflow id of the rollback of one service: it is the lock."""
    return f"service/{checked('environment', env)}/{checked('service', service)}"


def plan_id(env: str, key: str) -> str:
    """Workflow id of a question for a plan."""
    return f"plan/{checked('environment', env)}/{checked('key', key)}"


def release_id(env: str, service: str, version: str) -> str:
    """Workflow id of what is recorded about a release."""
    parts = checked("environment", env), checked("service", service), checked("version", version)
    return "release/" + "/".join(parts)


def adopt_id(env: str, service: str, verb: str) -> str:
    """Workflow id of a look at what was left of a service, or of its giving back."""
    return f"adopt/{checked('environment', env)}/{checked('service', service)}/{verb}"


def watchdog_id(env: str) -> str:
    """Workflow id of the watchdog of one environment."""
    return f"watchdog/{checked('environment', env)}"


def budget_id(env: str) -> str:
    """Workflow id of the budget that all rollbacks of an environment share."""
    return f"budget/{checked('environment', env)}"


def incident_id(env: str, service: str, version: str) -> str:
    """Workflow id of what is known about one release that is said to be bad: one per release."""
    parts = checked("environment", env), checked("service", service), checked("version", version)
    return "incident/" + "/".join(parts)


def stay_id(env: str, service: str) -> str:
    """Workflow id of what looks after the last rollback of a service: one per service."""
    return f"stay/{checked('environment', env)}/{checked('service', service)}"


def watch_id(env: str) -> str:
    """Workflow id of what watches the releases of one environment."""
    return f"watch/{checked('environment', env)}"


def decisions_id(env: str, question: str) -> str:
    """Workflow id of a question about recorded decisions; `question` tells it from all others."""
    return f"decisions/{checked('environment', env)}/{checked('question', question)}"


def checkup_id(env: str) -> str:
    """Workflow id of a look at the clusters of an environment, or of all where it is empty."""
    return f"checkup/{checked('environment', env) if env else 'all'}"


def audit_id(question: str) -> str:
    """Workflow id of a question about the audit chain; `question` tells it from all others."""
    return f"audit/{checked('question', question)}"


def glasses_id(env: str, question: str) -> str:
    """Workflow id of a question about broken glass, or of a review that is noted."""
    return f"glasses/{checked('environment', env)}/{checked('question', question)}"


def deploys_id(env: str, question: str) -> str:
    """Workflow id of a question about deploys, or of a freeze that is said or lifted."""
    return f"deploys/{checked('environment', env)}/{checked('question', question)}"


class EvidencePoint(Value):
    """One second of what the requester saw: answers and failures by version."""

    at: datetime
    requests: dict[str, int]
    errors: dict[str, int]


class RollbackRequest(Value):
    """ "This release is bad." What a person, a CI job or an alert sends.

    adopts: id of an ended rollback whose claim this one goes on from. needs_approval: a person must
    agree whatever the policy of the environment says: the decision behind it asks for that.
    votes: how many should, where one vote proves one person. trace: what the test saw whose alarm
    is behind it. confirmed: the service that was typed out, empty if none was; None from a door
    that asks in its own way. behind: people behind a machine that asks; they do not approve it
    either. word, first_run: of the rollback that this one is a part of; the id of its first run, to
    which decisions about it are signed. break_glass: it begins without anybody's approval, and
    somebody looks at it afterwards. token: of the gateway, by which it may begin where starts are
    signed (authority/start_token.py). origin: written by the workflow alone; what a caller says
    there is overwritten.
    """

    env: str
    services: tuple[str, ...]
    key: str
    requested_by: str
    reason: str = ""
    to_version: str | None = None
    trigger: str = "manual"
    incident: str = ""
    expect_plan: str | None = None
    evidence: tuple[EvidencePoint, ...] = ()
    adopts: str = ""
    needs_approval: bool = False
    trace: EvidenceTrace = EvidenceTrace()
    votes: Count = 0
    confirmed: str | None = None
    behind: tuple[str, ...] = ()
    word: str = ""
    first_run: str = ""
    break_glass: bool = False
    token: str = Field(default="", repr=False)
    origin: Origin | None = None

    @property
    def unsigned(self) -> "RollbackRequest":
        """The same without its signature: what was asked for."""
        return self.model_copy(update={"token": "", "origin": None})


class AdoptRequest(Value):
    """A look at what an ended rollback left of a service; or its giving back, as it stands.

    token: of the gateway, by which it may be given back where that is signed (authority/asks.py).
    """

    env: str
    service: str
    give_back: bool = False
    by: str = "unknown"
    reason: str = ""
    token: str = Field(default="", repr=False)


class AbortMode(StrEnum):
    """What happens after the step that is under way."""

    HOLD = "hold"
    RESTORE = "restore"


class AbortCommand(Value):
    """Stop at the next safe point; with `restore`, then put back what was there before.

    token: of the gateway, here and below (authority/token.py). Where the plan pins keys, it alone
    says who decided what. word: of the rollback that passes it on to what it has started.
    """

    mode: AbortMode = AbortMode.HOLD
    by: str = "unknown"
    reason: str = ""
    token: str = ""
    word: str = ""


class PauseCommand(Value):
    """Finish the step under way, then wait; or go on."""

    by: str = "unknown"
    reason: str = ""
    token: str = ""
    word: str = ""


class Decision(StrEnum):
    """A vote."""

    APPROVE = "approve"
    REJECT = "reject"


class Vote(Value):
    """One person's answer; it counts only for the plan whose digest it quotes."""

    plan: str
    by: str
    reason: str = ""
    method: str = "local"
    token: str = ""


class ReleaseHold(Value):
    """Give those back who were held for a rollback, whatever they would do."""

    by: str = "unknown"
    reason: str = ""
    token: str = Field(default="", repr=False)


class StepCommand(Value):
    """Try the step that waits again, or go on without it."""

    step: str
    by: str = "unknown"
    reason: str = ""
    token: str = ""


def is_of_rollback(step: str) -> bool:
    """Whether it is a wave or a part of the rollback, `wave-2`, and no step of one service."""
    return re.fullmatch(r"(wave|part)-[0-9]+", step) is not None


def asked_of_rollback(waits_for: str) -> str:
    """The wave or part that a rollback asks about, as it begins its own words; empty: none."""
    return next(reversed(re.findall(r"(?:^|; )((?:wave|part)-[0-9]+): ", waits_for)), "")


class Answered(Value):
    """What became of a command: applied, or ignored because."""

    applied: bool
    because: str


class Carried(Answered):
    """What became of a command that was sent as a message; also that nobody has judged it yet."""

    pending: bool = False
    """Sent and durable, not judged: neither applied nor ignored so far."""

    @property
    def word(self) -> str:
        """For people: nobody reads *ignored* where nobody has answered."""
        return "applied" if self.applied else "sent" if self.pending else "not applied"


class Planned(Value):
    """The answer of a planning activity: a plan, or why there can be none.

    width: services of it that are under way at once.
    """

    plan: RollbackPlan | None = None
    parts: tuple[Part, ...] = ()
    """Instead of a plan, where there are more services than one may have."""
    digest: str = ""
    approval: ApprovalPolicy | None = None
    """Of a part's plan, which itself stays with the part; so are those up to from_versions."""
    tier: Tier | None = None
    quorum: Quorum | None = None
    keys: tuple[VerifyKey, ...] = ()
    from_versions: dict[str, str] = Field(default_factory=dict)
    """Service → the version that is undone."""
    width: int = 10
    blocked_because: str = ""
    effect: str = ""
    next_step: str = ""
    error: str = ""


class ServiceRollback(Value):
    """What a parent asks of the child that carries out one service's plan.

    go: whether it may begin at once; otherwise it waits for the signal `go`.
    counted: requests of all versions at planning. seal: what those must prove who steer it.
    """

    env: str
    rollback: str
    digest: str
    plan: ServicePlan
    go: bool
    counted: Total | None = None
    tells: bool = False
    """Whether its parent is to hear of each share and each verdict, because people are told."""
    seal: Seal = Seal()


class RecordRelease(Value):
    """Freeze the restore point of what runs now and remember the release.

    from_cluster: everything that returns with it must be readable, and is frozen anew. token: of
    the gateway, here and below, where that is signed (authority/asks.py).
    """

    verb: Literal["record"] = "record"
    env: str
    service: str
    version: str
    by: str
    from_cluster: bool = False
    token: str = Field(default="", repr=False)


class MarkRelease(Value):
    """Change what we know about a release; `verified` measures a baseline first."""

    verb: Literal["mark"] = "mark"
    env: str
    service: str
    version: str
    by: str
    standing: Standing
    because: str = ""
    measure_s: float = 0
    token: str = Field(default="", repr=False)


class ListReleases(Value):
    """What is recorded of a service, newest first."""

    verb: Literal["list"] = "list"
    env: str
    service: str


class ReleaseRequest(Value):
    """One thing to do with the records of releases."""

    ask: Annotated[RecordRelease | MarkRelease | ListReleases, Field(discriminator="verb")]


class Releases(Value):
    """Releases as recorded, newest first."""

    releases: tuple[Release, ...]
