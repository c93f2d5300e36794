"""Who may do what: the whole table of security.md §3, asked at the moment of each click. Pure."""

from enum import StrEnum
from typing import assert_never

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.people import Kind, Person
from rollback_manager.authority.roles import Role, Roles, roles_of
from rollback_manager.contract import Answered
from rollback_manager.tier import Tier
from rollback_manager.values import Value

REASON_CHARACTERS = 20
"""Of a reason that stands for a second person's look (security.md §2, §7)."""


class Verb(StrEnum):
    """What somebody wants to do."""

    SEE = "see"
    PLAN = "plan"
    START = "start"
    APPROVE = "approve"
    REJECT = "reject"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY_STEP = "retry_step"
    SKIP_STEP = "skip_step"
    ADOPT = "adopt"
    BREAK_GLASS = "break_glass"
    REVIEW = "review"
    RECORD_RELEASE = "record_release"
    MARK_RELEASE = "mark_release"
    FREEZE = "freeze"
    READ_AUDIT = "read_audit"


class Channel(StrEnum):
    """By which door it came."""

    CLI = "cli"
    WEB = "web"
    SLACK = "slack"
    CI = "ci"
    ALERT = "alert"
    TEMPORAL_UI = "temporal_ui"


class Facts(Value):
    """What the answer depends on besides person, verb, tier and door.

    owners: of all services concerned. approvers: of the environment. requesters: the subjects that
    asked for the rollback, a machine and whoever is behind it. is_its_own: the services are those
    of the machine's repository, and the rollback, if there is one, is its own. confirmed: the
    service that was typed out. overdue: the break-glass whose review is overdue. ends_stop: a
    freeze that stops rollbacks would end.
    """

    level: SecurityLevel
    roles: Roles = Roles()
    owners: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()
    is_its_own: bool = False
    incident: str = ""
    reason: str = ""
    confirmed: str = ""
    overdue: str = ""
    ends_stop: bool = False


def may(person: Person, verb: Verb, tier: Tier | None, channel: Channel, facts: Facts) -> Answered:
    """Whether this person may do it here and now; if not, why, in words for that person.

    tier: None where there is no plan yet: then the most is asked for, and the least of a stop, for
    nothing was touched. Who cannot learn the tier of a plan that there is does not pass None for
    everything: see `starters/gateway/last_tier.py`.
    """
    known = tier or (Tier.T0 if verb in STOPS else Tier.T3)
    because = (
        _wrong_door(person, verb, known, channel, facts)
        or _no_role(person, verb, known, facts)
        or _not_one_of_two(person, verb, known, facts)
        or _not_stepped_up(person, verb, known, facts)
        or _glass(verb, facts)
        or _lets_rollbacks_go(person, verb, facts)
        or _unconfirmed(verb, known, facts)
    )
    return Answered(applied=not because, because=because or f"{person.subject} may {_words(verb)}")


STOPS = frozenset({Verb.ABORT, Verb.PAUSE})
VOTES = frozenset({Verb.APPROVE, Verb.REJECT})

_OWNER, _ON_CALL, _IC = Role.OWNER, Role.ON_CALL, Role.INCIDENT_COMMANDER
_MACHINES = frozenset({Role.CI, Role.ALERT})
_LEADS = frozenset({_OWNER, _IC})
_STEERS = frozenset({_OWNER, _ON_CALL, _IC})
_KEEPS = frozenset({_OWNER, _IC, Role.ADMIN})
_ANSWERS = frozenset({_OWNER, _ON_CALL, _IC, Role.APPROVER})
_ONLY_IC = frozenset({_IC})

_ByTier = tuple[frozenset[Role], frozenset[Role], frozenset[Role], frozenset[Role]]


def _always(roles: frozenset[Role]) -> _ByTier:
    return roles, roles, roles, roles


WHO: dict[Verb, _ByTier] = {
    Verb.SEE: _always(frozenset({Role.CI})),  # and everybody who has signed in
    Verb.PLAN: _always(_STEERS | _MACHINES),
    Verb.START: (_LEADS | _MACHINES, _LEADS | _MACHINES, _LEADS, _ONLY_IC),
    Verb.APPROVE: (_ANSWERS, _ANSWERS, _LEADS | {Role.APPROVER}, _LEADS | {Role.APPROVER}),
    Verb.REJECT: _always(_ANSWERS),
    Verb.ABORT: (_STEERS | {Role.CI}, _STEERS | {Role.CI}, _STEERS, _ONLY_IC),
    Verb.PAUSE: (_STEERS, _STEERS, _STEERS, _ONLY_IC),
    Verb.RESUME: (_STEERS, _STEERS, _STEERS, _ONLY_IC),
    Verb.RETRY_STEP: (_STEERS, _STEERS, _STEERS, _ONLY_IC),
    Verb.SKIP_STEP: (_STEERS, _STEERS, _LEADS, _ONLY_IC),
    Verb.ADOPT: (_STEERS, _STEERS, _LEADS, _ONLY_IC),
    Verb.BREAK_GLASS: _always(frozenset({_ON_CALL})),
    Verb.REVIEW: _always(_KEEPS),
    Verb.RECORD_RELEASE: _always(_KEEPS | {Role.CI}),
    Verb.MARK_RELEASE: _always(_KEEPS),
    Verb.FREEZE: _always(_KEEPS),
    Verb.READ_AUDIT: _always(frozenset({Role.AUDITOR, Role.ADMIN})),
}
"""Who may, from T0 to T3 (security.md §3). Where it names nobody (pause, adopt, records, freezes)
we take those who may do the next heavier thing."""

_PEOPLES = frozenset({Channel.CLI, Channel.WEB})
_CHAT = _PEOPLES | {Channel.SLACK}

DOORS: dict[Verb, frozenset[Channel]] = {
    Verb.SEE: _CHAT | {Channel.CI, Channel.TEMPORAL_UI},
    Verb.PLAN: _CHAT | {Channel.CI, Channel.ALERT},
    Verb.START: _CHAT | {Channel.CI, Channel.ALERT},
    Verb.APPROVE: _CHAT,
    Verb.REJECT: _CHAT,
    Verb.ABORT: _CHAT | {Channel.CI},
    Verb.PAUSE: _CHAT,
    Verb.RESUME: _CHAT,
    Verb.RETRY_STEP: _PEOPLES,
    Verb.SKIP_STEP: _PEOPLES,
    Verb.ADOPT: _PEOPLES,
    Verb.BREAK_GLASS: _PEOPLES,
    Verb.REVIEW: _PEOPLES,
    Verb.RECORD_RELEASE: _PEOPLES | {Channel.CI},
    Verb.MARK_RELEASE: _PEOPLES,
    Verb.FREEZE: _PEOPLES,
    Verb.READ_AUDIT: _PEOPLES,
}
"""By which doors, where decisions are signed."""


def _wrong_door(person: Person, verb: Verb, tier: Tier, channel: Channel, facts: Facts) -> str:
    """Machines come by their own door alone; votes from T2 on need more than a click in chat."""
    own = {Kind.CI: Channel.CI, Kind.ALERT: Channel.ALERT}.get(person.kind)
    if own is not channel and (own or channel in {Channel.CI, Channel.ALERT}):
        return f"{person.subject} is no {channel}" if own is None else f"not by {channel}"
    if facts.level is SecurityLevel.LOCAL and own is None:
        return ""
    if channel not in DOORS[verb]:
        return f"nobody can {_words(verb)} by {_words(channel)} here"
    if channel is Channel.SLACK and verb in VOTES and tier >= Tier.T2:
        return f"a click in Slack is not enough at {tier}: open the plan and vote there"
    return ""


def _no_role(person: Person, verb: Verb, tier: Tier, facts: Facts) -> str:
    allowed = WHO[verb][list(Tier).index(tier)]
    match person.kind:
        case Kind.CI | Kind.ALERT:
            role = Role(person.kind)
            listed = facts.level is SecurityLevel.LOCAL or role is Role.ALERT
            if role not in allowed or not (listed or person.is_among(facts.roles.ci)):
                return f"{person.subject} may not {_words(verb)} at {tier}: {_only(allowed)}"
            if role is Role.CI and not facts.is_its_own:
                return f"{person.subject} may only {_words(verb)} what is its own"
            return ""
        case Kind.LOCAL | Kind.HUMAN:
            if facts.level is SecurityLevel.LOCAL or (
                verb is Verb.SEE and person.kind is Kind.HUMAN
            ):
                return ""
            has = roles_of(person, facts.roles, facts.owners, facts.approvers)
            if has & allowed:
                return ""
            return f"{person.subject} may not {_words(verb)} at {tier}: {_only(allowed)}"
        case _ as never:
            assert_never(never)


def _not_one_of_two(person: Person, verb: Verb, tier: Tier, facts: Facts) -> str:
    """From T2 on, and after a break-glass, two people look at it.

    One machine with one operator cannot keep that, and says so; there the service is typed out.
    """
    if facts.level is SecurityLevel.LOCAL or person.subject not in facts.requesters:
        return ""
    if verb is Verb.APPROVE and tier >= Tier.T2:
        return f"{person.subject} asked for it: at {tier} somebody else approves"
    if verb is Verb.REVIEW:
        return f"{person.subject} broke the glass: somebody else reviews it"
    return ""


def _not_stepped_up(person: Person, verb: Verb, tier: Tier, facts: Facts) -> str:
    if facts.level is SecurityLevel.LOCAL or verb is not Verb.APPROVE or tier < Tier.T2:
        return ""
    if "mfa" in person.factors or person.method == "web+mfa":
        return ""
    return f"at {tier} sign in with a second factor, then approve"


def _glass(verb: Verb, facts: Facts) -> str:
    return unbroken(facts) if verb is Verb.BREAK_GLASS else ""


def unbroken(facts: Facts) -> str:
    """Why the glass is not broken (security.md §7), whoever would; empty: nothing is missing."""
    if facts.overdue:
        done = f"rollback-manager review done {facts.overdue} --reason TEXT"
        return f"the review of {facts.overdue} is overdue: {done}"
    return _not_typed(facts) or _not_explained(facts)


def _lets_rollbacks_go(person: Person, verb: Verb, facts: Facts) -> str:
    """Ending such a freeze is agreeing to each rollback that it stops."""
    if verb is not Verb.FREEZE or not facts.ends_stop or facts.level is SecurityLevel.LOCAL:
        return ""
    if person.is_among(facts.roles.incident_commander):
        return ""
    return f"it stops rollbacks, too: {_only(_ONLY_IC)} ends it"


def _unconfirmed(verb: Verb, tier: Tier, facts: Facts) -> str:
    if facts.level is not SecurityLevel.LOCAL or verb not in {Verb.START, Verb.APPROVE}:
        return ""
    return unconfirmed(tier, facts)


def unconfirmed(tier: Tier, facts: Facts) -> str:
    """What is missing that stands for the second person where there is only one (security.md §2).

    Empty: nothing is.
    """
    if tier < Tier.T2:
        return ""
    return _not_typed(facts) or (_not_explained(facts) if tier is Tier.T3 else "")


def _not_typed(facts: Facts) -> str:
    if facts.confirmed in facts.services:
        return ""
    return f"type the service out: --confirm={facts.services[0] if facts.services else 'SERVICE'}"


def _not_explained(facts: Facts) -> str:
    if not facts.incident.strip():
        return "name the incident: --incident ID"
    if len(facts.reason.strip()) < REASON_CHARACTERS:
        return f"say why in {REASON_CHARACTERS} characters or more: --reason TEXT"
    return ""


def _only(roles: frozenset[Role]) -> str:
    return "only " + ", ".join(_words(role) for role in Role if role in roles)


def _words(name: StrEnum) -> str:
    return name.replace("_", " ")
