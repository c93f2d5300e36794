"""All that there is to say at one moment, of a rollback and of what looks after it. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import RollbackStatus, State
from rollback_manager.rendering import words
from rollback_manager.rendering.layout import foreign
from rollback_manager.stays import StayStatus, Verdict
from rollback_manager.telling.card import FOREIGN, Card, Fact, card
from rollback_manager.telling.notices import Milestone, Notice, notices


class Saying(NamedTuple):
    """The card of now, and the news so far."""

    card: Card
    news: tuple[Notice, ...]


def of_rollback(status: RollbackStatus, plan: RollbackPlan | None, incident: str) -> Saying:
    """While it runs, and how it ended."""
    return Saying(card(status, plan, incident), notices(status, plan))


def of_stay(status: StayStatus) -> Saying:
    """After it has ended: whether it stays. It has no vote, and nothing to be stopped."""
    staying, waits = status.staying, status.state == State.NEEDS_HUMAN
    state = words.STATES[State.NEEDS_HUMAN] if waits else _last_verdict(status)
    shown = Card(
        rollback=staying.rollback,
        env=staying.env,
        headline=f"Rollback of {staying.service} ({staying.env})",
        stands=words.joined([state, f"{staying.bad} → {staying.version}"]),
        facts=tuple(_facts(status)),
        can_stop=False,
        waits_for=foreign(status.waits_for, FOREIGN),
        needs_somebody=waits,
        is_well=not waits,
    )
    return Saying(shown, tuple(_did_not_stay(status)))


def _last_verdict(status: StayStatus) -> str:
    last = status.checks[-1].stayed.verdict if status.checks else Verdict.NOT_LOOKED
    return str(last).replace("_", " ").upper()


def _facts(status: StayStatus) -> Iterator[Fact]:
    if status.checks:
        last = status.checks[-1]
        said = f"{foreign(last.stayed.because, FOREIGN)} at {words.clock(last.at)}"
        yield Fact(label="Seen", text=said)
    if status.held:
        yield Fact(label="Held", text=foreign(", ".join(status.held), FOREIGN))
    if status.next_step:
        yield Fact(label="Next", text=foreign(status.next_step))


def _did_not_stay(status: StayStatus) -> Iterator[Notice]:
    """Each time that a person must look: who took it back, or why nobody can tell."""
    if status.state != State.NEEDS_HUMAN:
        return
    because = foreign(status.waits_for) or words.UNKNOWN
    text = f"{status.staying.service}: {because}"
    yield Notice(milestone=Milestone.DID_NOT_STAY, key=f"stay/{because}", text=text)
