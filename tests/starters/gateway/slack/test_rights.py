"""Who sees the channel sees the buttons; who may use them is asked at each click (security T03)."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from demo.slack import SlackPerson
from rollback_manager.authority.people import Accounts
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import RollbackClient
from rollback_manager.contract import AbortCommand, Answered, Decision, RollbackRequest, Vote
from rollback_manager.progress import RollbackStatus, State
from rollback_manager.tier import Tier
from starters.gateway.answered import Answers
from starters.gateway.auditing import Auditing
from starters.gateway.doors import Binding, Doors
from starters.gateway.pace import Pace
from starters.gateway.signing import SigningKey
from starters.gateway.slack import buttons, commands
from starters.gateway.slack.door import SlackDoor
from starters.gateway.slack.reading import Click, Sender, Typed
from tests import rig
from tests.starters.gateway.test_deciding import Chain

ROLES = ("owner", "on_call", "incident_commander", "approver", "admin", "auditor", "nobody")
BUTTONS = ("approve", "reject", "abort")

MAY: dict[tuple[str, Tier], set[str]] = {
    ("approve", Tier.T0): {"owner", "on_call", "incident_commander", "approver"},
    ("approve", Tier.T1): {"owner", "on_call", "incident_commander", "approver"},
    ("approve", Tier.T2): set(),
    ("approve", Tier.T3): set(),
    ("reject", Tier.T0): {"owner", "on_call", "incident_commander", "approver"},
    ("reject", Tier.T1): {"owner", "on_call", "incident_commander", "approver"},
    ("reject", Tier.T2): set(),
    ("reject", Tier.T3): set(),
    ("abort", Tier.T0): {"owner", "on_call", "incident_commander"},
    ("abort", Tier.T1): {"owner", "on_call", "incident_commander"},
    ("abort", Tier.T2): {"owner", "on_call", "incident_commander"},
    ("abort", Tier.T3): {"incident_commander"},
}
"""As security §3 has it, spelled out here once more; from T2 on no vote is given in chat."""


@dataclass
class Rollback:
    """One that waits for a vote, and keeps what reaches it."""

    tier: Tier
    id: str = "rollback/test/k"
    reached: list[tuple[str, str]] = field(default_factory=list)

    async def request(self) -> RollbackRequest:
        return RollbackRequest(
            env="test", services=("shop",), key="k", requested_by="ci:github/8812"
        )

    async def status(self) -> RollbackStatus:
        return RollbackStatus(
            rollback=self.id, env="test", state=State.WAITING_FOR_APPROVAL, digest="7f" * 32,
            tier=self.tier, nonce="n0",
        )  # fmt: skip

    async def by_itself(self) -> RollbackStatus:
        return await self.status()

    async def first_run(self) -> str:
        return "run-1"

    async def vote(self, decision: Decision, vote: Vote, *, vote_id: str) -> Answered:
        self.reached.append((str(decision), vote.token))
        return Answered(applied=True, because="counted")

    async def abort(self, command: AbortCommand) -> None:
        self.reached.append(("abort", command.token))


@dataclass
class Rollbacks:
    one: Rollback

    def rollback(self, _: str) -> Rollback:
        return self.one


class Nobody:
    """Whom nobody is answered by: what is said comes back from `answer` itself."""

    def explain(self, *_: str) -> None: ...

    def respond(self, *_: str) -> None: ...


def secured() -> Catalogue:
    """A catalogue in which each role has one person, who has an account of the same name."""
    tree: dict[str, Any] = rig.catalogue("shop", {}).model_dump(mode="json")
    roles = {name: [f"{name}@example.com"] for name in ROLES}
    tree["environments"]["test"] |= {
        "security": "secured",
        "roles": {n: roles[n] for n in ("on_call", "incident_commander", "admin", "auditor")},
        "approvers": roles["approver"],
    }
    tree["services"]["shop"]["owners"] = roles["owner"]
    people = {f"{name}@example.com": Accounts(slack=f"T1/{account(name)}") for name in ROLES}
    return Catalogue.model_validate(tree).model_copy(update={"people": people})


def account(role: str) -> str:
    return f"U{role.replace('_', '').upper()}"


KEY = SigningKey("k1", Ed25519PrivateKey.generate())
DOOR = SlackDoor(teams=frozenset({"T1"}), apps=frozenset({"A1"}), answers=Nobody())
DOORS = Doors(
    rollbacks=cast(RollbackClient, None),
    catalogue=secured(),
    binding=Binding("127.0.0.1", 1, "http://127.0.0.1:1", ()),
    now=lambda: datetime.now(UTC),
    signer=lambda: KEY,
)


@pytest.mark.parametrize(("role", "button", "tier"), list(product(ROLES, BUTTONS, Tier)))
async def test_a_click_reaches_the_rollback_only_from_who_may(
    role: str, button: str, tier: Tier
) -> None:
    rollback = Rollback(tier)
    rollbacks = cast(RollbackClient, Rollbacks(rollback))
    chain = Chain()
    auditing = Auditing(chain, lambda: datetime.now(UTC))
    known = replace(DOORS, rollbacks=rollbacks, answers=Answers(), pace=Pace(), auditing=auditing)
    who = SlackPerson(user=account(role))
    sender = Sender(team=who.team, user=who.user, app=who.app, channel=who.channel)
    said = await buttons.answer(known, DOOR, Click(sender=sender, action=button, value="test/k.n0"))
    assert said is not None
    assert bool(rollback.reached) is (role in MAY[button, tier]), said.text
    assert all(token for _, token in rollback.reached), "what reaches it is signed"
    if not rollback.reached:
        assert said.text.startswith(f"At {tier} a click") or "may not" in said.text
        ((subject, _, outcome),) = chain.told
        assert subject == f"{role}@example.com"
        assert outcome.startswith("refused: "), "Slack hears 200: the chain alone tells of it"


@pytest.mark.parametrize("text", ["start shop test", "plan shop test"])
@pytest.mark.parametrize("role", ["auditor", "stranger"])
async def test_a_command_of_who_may_not_is_kept_in_the_chain(role: str, text: str) -> None:
    chain = Chain()
    known = replace(DOORS, auditing=Auditing(chain, lambda: datetime.now(UTC)))
    typed = Typed(sender=Sender(team="T1", user=account(role), app="A1"), text=text)
    said = await commands.answer(known, DOOR, typed)
    assert "may not" in said.text or "Nothing was done" in said.text
    ((subject, _, outcome),) = chain.told
    assert subject == ("auditor@example.com" if role == "auditor" else "slack:T1/USTRANGER")
    assert outcome.startswith("refused: ")
