"""How a rollback stands, on one card: what every channel shows, in the words of all surfaces."""

from collections.abc import Iterator
from datetime import datetime

from rollback_manager.gates import GateAnswer
from rollback_manager.metrics.reading import NoReading
from rollback_manager.plan import Found, RollbackPlan, short
from rollback_manager.progress import (
    Result,
    RollbackStatus,
    ServiceStatus,
    State,
    exit_code,
)
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign
from rollback_manager.telling.notices import FEW, what
from rollback_manager.tier import Tier
from rollback_manager.values import Value

ONLY_ELSEWHERE = frozenset({Tier.T2, Tier.T3})
"""A chat account alone does not carry a vote there (security T04)."""
FOREIGN = 200
"""Characters kept of a text that somebody else wrote: a card is read in seconds."""


class Fact(Value):
    """One labelled line."""

    label: str
    text: str


class Question(Value):
    """A vote that is open. votes: such as `1 of 2`; empty where one is enough."""

    deadline: datetime | None = None
    votes: str = ""
    only_elsewhere: bool = False
    """Whether no vote counts that is given in chat."""


class Card(Value):
    """One rollback for people who were not looking for it.

    headline: what it is, or the question. stands: the state word of all surfaces. nonce: of the
    newest question, for the buttons. can_stop: whether an abort still finds something.
    """

    rollback: str
    env: str
    headline: str
    stands: str
    facts: tuple[Fact, ...] = ()
    if_nothing: str = ""
    doubts: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    """Digest, requester, incident: who looks deeper begins there."""
    effect: str = ""
    """What every approval repeats: from → to, where, what it does to the traffic."""
    question: Question | None = None
    nonce: str = ""
    can_stop: bool = True
    decisions: tuple[str, ...] = ()
    waits_for: str = ""
    ended: tuple[str, ...] = ()
    needs_somebody: bool = False
    """Whether anybody has to do anything now."""
    is_well: bool = False
    """Whether it has ended, and users were shown to be well."""

    @property
    def key(self) -> str:
        """The rollback without the word before it: `prod/inc-4711`."""
        return self.rollback.removeprefix("rollback/")


def card(status: RollbackStatus, plan: RollbackPlan | None, incident: str = "") -> Card:
    """The card of now. incident: as the request named it."""
    question = _question(status, plan)
    outcome = status.outcome
    return Card(
        rollback=status.rollback,
        env=status.env,
        headline=_headline(status, asks=question is not None),
        stands=words.joined([words.state(status), *_serving(status)]),
        facts=tuple(_facts(status, plan)) if plan else (),
        if_nothing=_if_nothing(plan) if plan and question else "",
        doubts=tuple(_doubts(plan)[:2]) if plan and question else (),
        about=tuple(_about(status, incident)),
        effect=_effect(status, plan) if plan else "",
        question=question,
        nonce=status.nonce,
        can_stop=status.state is not State.FINISHED,
        decisions=tuple(words.decision(one) for one in status.decisions if one.counted),
        waits_for="" if question else foreign(status.waits_for, FOREIGN),
        ended=tuple(t for t in (outcome.effect, foreign(outcome.because, FOREIGN)) if t)
        if outcome
        else (),
        needs_somebody=_needs_somebody(status, asks=question is not None),
        is_well=outcome is not None and outcome.result is Result.VERIFIED,
    )


def _needs_somebody(status: RollbackStatus, *, asks: bool) -> bool:
    """A vote, a step that waits, or an end that nobody chose."""
    if status.outcome is not None:
        return exit_code(status.outcome) not in {0, 3}
    return asks or words.state_of(status) is State.NEEDS_HUMAN


def _headline(status: RollbackStatus, *, asks: bool) -> str:
    names = [service.service for service in status.services]
    told = ", ".join(names) if len(names) <= FEW else f"{len(names)} services"
    about = f"rollback of {told or status.rollback} ({status.env})"
    return f"Approve {about}?" if asks else f"{about[:1].upper()}{about[1:]}"


def _serving(status: RollbackStatus) -> list[str]:
    """`66 % on v1`, of one service that is under way."""
    told = [_share(service) for service in status.services if service.steps or service.found]
    return [t for t in told if t] if len(status.services) == 1 and not status.outcome else []


def _share(service: ServiceStatus) -> str:
    if service.found is not None:
        percent = service.found.shares.get(service.to_version, 0)
        return f"{percent} % on {service.to_version}"
    shifts = [s.target for s in service.steps if s.name == "redirect_traffic"]
    return foreign(shifts[-1], FOREIGN) if shifts else ""


def _question(status: RollbackStatus, plan: RollbackPlan | None) -> Question | None:
    if status.state is not State.WAITING_FOR_APPROVAL or plan is None:
        return None
    return Question(
        deadline=status.deadline,
        votes="" if status.quorum.endswith("of 1") else status.quorum,
        only_elsewhere=status.tier in ONLY_ELSEWHERE,
    )


def _facts(status: RollbackStatus, plan: RollbackPlan) -> Iterator[Fact]:
    yield Fact(label="From → to", text=what(status))
    yield Fact(label="Why", text=_why(status, plan))
    yield Fact(label="Blast radius", text=_radius(plan))
    if status.tier is not None:
        because = foreign(status.tier_because, FOREIGN)
        yield Fact(label="Tier", text=words.joined([str(status.tier), because]))
    yield Fact(label="Capacity floor", text=_floors(plan))
    expected = plan.estimate
    back, well = words.duration(expected.traffic_back_s), words.duration(expected.verified_s)
    yield Fact(label="Time", text=f"traffic back in {back}, verified in {well}")


def _why(status: RollbackStatus, plan: RollbackPlan) -> str:
    """One line with a number; the reason that was given stands behind it."""
    measured = [words.failing(seen.bad_reading) for seen in plan.found[:1]]
    return words.joined([*measured, foreign(status.reason, FOREIGN)])


def _radius(plan: RollbackPlan) -> str:
    names = [service.service for service in plan.services]
    several = f"{len(names)} services in {len(plan.waves)} waves" if len(names) > 1 else names[0]
    shares = [words.by_version(seen.shares, "%") for seen in plan.found[:1] if len(names) == 1]
    return words.joined([f"{several} in {plan.env}", *(f"traffic {one}" for one in shares)])


def _floors(plan: RollbackPlan) -> str:
    told = [f"{s.floor} of {s.desired} ready" for s in plan.services]
    return told[0] if len(set(told)) == 1 else "; ".join(told[:FEW])


def _if_nothing(plan: RollbackPlan) -> str:
    """What goes on while nobody answers."""
    told = [_goes_on(plan, seen) for seen in plan.found[:FEW]]
    return "; ".join([*told, f"unanswered: {plan.approval.on_expiry}"])


def _goes_on(plan: RollbackPlan, seen: Found) -> str:
    bad = next((s.from_version for s in plan.services if s.service == seen.service), "")
    keeps = f"{seen.service}: {bad} keeps {seen.shares.get(bad, 0)} % of the traffic"
    if isinstance(seen.bad_reading, NoReading):
        return f"{keeps}; how many requests it fails is {words.UNKNOWN}"
    return f"{keeps} and goes on failing {words.percent(seen.bad_reading.error_ratio)} of it"


def _doubts(plan: RollbackPlan) -> list[str]:
    """What is not proven first, then what the strategy is known to risk."""
    unproven = {GateAnswer.INCONCLUSIVE, GateAnswer.FAILED}
    gates = [f"{g.gate}: {foreign(g.because, FOREIGN)}" for g in plan.gates if g.answer in unproven]
    risks = [f"{foreign(r.risk, FOREIGN)}: {foreign(r.mitigation, FOREIGN)}" for r in plan.risks]
    return [*gates, *risks] or ["nothing is known that speaks against it"]


def _about(status: RollbackStatus, incident: str) -> Iterator[str]:
    if status.digest:
        yield f"plan {short(status.digest)}"
    yield f"asked for by {foreign(status.requested_by) or words.UNKNOWN}"
    if incident:
        yield f"incident {foreign(incident, FOREIGN)}"
    yield f"security {status.security}"


def _effect(status: RollbackStatus, plan: RollbackPlan) -> str:
    back = words.duration(plan.estimate.traffic_back_s)
    return f"{what(status)} in {plan.env}. Traffic moves back in {back}; nothing is deleted."
