"""Role × verb × tier × door: each cell against a table written by hand from security.md §3."""

from itertools import product
from typing import Any

import pytest

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.may import Channel, Facts, Verb, may
from rollback_manager.authority.people import Kind, Person
from rollback_manager.authority.roles import Roles
from rollback_manager.tier import Tier

ROLES = Roles(
    on_call=("on-call",),
    incident_commander=("commanders",),
    admin=("admins",),
    auditor=("auditors",),
    ci=("ci:github/8812",),
)
FACTS = Facts(
    level=SecurityLevel.SECURED,
    roles=ROLES,
    owners=("payments",),
    approvers=("leads",),
    services=("shop",),
    requesters=("ci:github/1",),
    is_its_own=True,
    incident="inc-1",
    reason="the errors are ours, the fix is not",
    confirmed="shop",
)
MFA = ("pwd", "mfa")
PEOPLE = {
    "owner": Person(subject="ana@example.com", groups=("payments",), factors=MFA),
    "on_call": Person(subject="bo@example.com", groups=("on-call",), factors=MFA),
    "commander": Person(subject="cy@example.com", groups=("commanders",), factors=MFA),
    "approver": Person(subject="di@example.com", groups=("leads",), factors=MFA),
    "admin": Person(subject="ed@example.com", groups=("admins",), factors=MFA),
    "auditor": Person(subject="flo@example.com", groups=("auditors",), factors=MFA),
    "nobody": Person(subject="gus@example.com", groups=("visitors",), factors=MFA),
    "ci": Person(subject="ci:github/8812", kind=Kind.CI, method="ci"),
    "other ci": Person(subject="ci:github/666", kind=Kind.CI, method="ci"),
    "alert": Person(subject="alert:alertmanager", kind=Kind.ALERT, method="alert"),
    "local": Person(subject="local:root", kind=Kind.LOCAL, groups=("commanders",)),
}
HUMANS = ("owner", "on_call", "commander", "approver", "admin", "auditor", "nobody")

TABLE = {
    # verb: (T0 and T1; T2; T3; doors of people; of machines)
    Verb.SEE: ("*", "*", "*", "cli web slack temporal_ui", "ci"),
    Verb.PLAN: ("owner on_call commander",) * 3 + ("cli web slack", "ci alert"),
    Verb.START: (
        *("owner commander", "owner commander", "commander"),
        *("cli web slack", "ci:T0,T1 alert:T0,T1"),
    ),
    Verb.APPROVE: (
        "owner on_call commander approver",
        *("owner commander approver",) * 2,
        *("cli web slack:T0,T1", ""),
    ),
    Verb.REJECT: ("owner on_call commander approver",) * 3 + ("cli web slack:T0,T1", ""),
    Verb.ABORT: (
        *("owner on_call commander", "owner on_call commander", "commander"),
        *("cli web slack", "ci:T0,T1"),
    ),
    **dict.fromkeys(
        (Verb.PAUSE, Verb.RESUME),
        (
            *("owner on_call commander", "owner on_call commander", "commander"),
            *("cli web slack", ""),
        ),
    ),
    Verb.RETRY_STEP: (
        *("owner on_call commander", "owner on_call commander", "commander"),
        *("cli web", ""),
    ),
    **dict.fromkeys(
        (Verb.SKIP_STEP, Verb.ADOPT),
        ("owner on_call commander", "owner commander", "commander", "cli web", ""),
    ),
    Verb.BREAK_GLASS: ("on_call",) * 3 + ("cli web", ""),
    Verb.RECORD_RELEASE: ("owner commander admin",) * 3 + ("cli web", "ci"),
    **dict.fromkeys(
        (Verb.REVIEW, Verb.MARK_RELEASE, Verb.FREEZE),
        ("owner commander admin",) * 3 + ("cli web", ""),
    ),
    Verb.READ_AUDIT: ("admin auditor",) * 3 + ("cli web", ""),
}

CELLS = list(product(PEOPLE, Verb, Tier, Channel))


def allowed(who: str, verb: Verb, tier: Tier, channel: Channel) -> bool:
    low, two, three, doors, machines = TABLE[verb]
    if who in {"ci", "other ci", "alert"}:
        return who == str(channel) and opens(machines, channel, tier)
    named = {Tier.T2: two, Tier.T3: three}.get(tier, low)
    role = who in HUMANS and (named == "*" or who in named.split())
    return role and opens(doors, channel, tier)


def opens(doors: str, channel: Channel, tier: Tier) -> bool:
    """`slack:T0,T1`: by Slack at these tiers alone."""
    for door in doors.split():
        name, _, tiers = door.partition(":")
        if name == str(channel):
            return not tiers or tier in tiers.split(",")
    return False


@pytest.mark.parametrize("verb", Verb)
def test_each_cell_of_the_table_is_as_written(verb: Verb) -> None:
    wrong = [
        (who, str(verb), str(tier), str(channel), answer.because)
        for who, tier, channel in product(PEOPLE, Tier, Channel)
        for answer in [may(PEOPLE[who], verb, tier, channel, FACTS)]
        if answer.applied is not allowed(who, verb, tier, channel)
    ]
    assert not wrong


def test_the_table_has_more_than_four_thousand_cells_and_both_answers_in_each_verb() -> None:
    assert len(CELLS) == 11 * 17 * 4 * 6
    assert set(TABLE) == set(Verb)
    assert all(any(allowed(*cell) for cell in CELLS if cell[1] is verb) for verb in Verb)


def test_each_refusal_says_why() -> None:
    for who, verb, tier, channel in CELLS:
        answer = may(PEOPLE[who], verb, tier, channel, FACTS)
        assert answer.because, (who, verb, tier, channel)


@pytest.mark.parametrize("tier", Tier)
def test_whoever_asked_for_it_does_not_approve_it_from_t2_on(tier: Tier) -> None:
    ana = PEOPLE["owner"]
    own = FACTS.model_copy(update={"requesters": ("ci:github/8812", ana.subject)})
    assert may(ana, Verb.APPROVE, tier, Channel.WEB, own).applied is (tier < Tier.T2)
    assert may(ana, Verb.REJECT, tier, Channel.WEB, own).applied
    assert may(PEOPLE["approver"], Verb.APPROVE, tier, Channel.WEB, own).applied


@pytest.mark.parametrize(("factors", "method", "may_it"), [((), "web", False), (MFA, "web", True)])
def test_from_t2_on_an_approval_takes_a_second_factor(
    factors: tuple[str, ...], method: str, may_it: bool
) -> None:
    ana = PEOPLE["owner"].model_copy(update={"factors": factors, "method": method})
    assert may(ana, Verb.APPROVE, Tier.T2, Channel.WEB, FACTS).applied is may_it
    assert may(ana, Verb.APPROVE, Tier.T1, Channel.WEB, FACTS).applied
    assert may(ana, Verb.ABORT, Tier.T2, Channel.WEB, FACTS).applied


def test_a_machine_gets_nothing_that_is_not_its_own() -> None:
    foreign = FACTS.model_copy(update={"is_its_own": False})
    for verb, tier in product(Verb, Tier):
        assert not may(PEOPLE["ci"], verb, tier, Channel.CI, foreign).applied


@pytest.mark.parametrize(
    "change", [{"incident": ""}, {"reason": "because I can"}, {"confirmed": ""}, {"overdue": "r-1"}]
)
def test_the_glass_is_broken_only_with_incident_reason_name_and_no_overdue_review(
    change: dict[str, Any],
) -> None:
    person = PEOPLE["on_call"]
    facts = FACTS.model_copy(update=change)
    assert may(person, Verb.BREAK_GLASS, None, Channel.CLI, FACTS).applied
    assert not may(person, Verb.BREAK_GLASS, None, Channel.CLI, facts).applied


def test_nobody_reviews_their_own_break_glass() -> None:
    own = FACTS.model_copy(update={"requesters": ("cy@example.com",)})
    assert not may(PEOPLE["commander"], Verb.REVIEW, Tier.T0, Channel.CLI, own).applied
    assert may(PEOPLE["owner"], Verb.REVIEW, Tier.T0, Channel.CLI, own).applied


def test_without_a_plan_a_start_asks_for_the_most_and_an_abort_for_the_least() -> None:
    ana, bo = PEOPLE["owner"], PEOPLE["on_call"]
    assert not may(ana, Verb.START, None, Channel.WEB, FACTS).applied
    assert may(bo, Verb.ABORT, None, Channel.WEB, FACTS).applied


LOCAL = Facts(level=SecurityLevel.LOCAL, services=("shop",))


@pytest.mark.parametrize(
    ("tier", "change", "because"),
    [
        (Tier.T1, {}, ""),
        (Tier.T2, {}, "--confirm=shop"),
        (Tier.T2, {"confirmed": "till"}, "--confirm=shop"),
        (Tier.T2, {"confirmed": "shop"}, ""),
        (Tier.T3, {"confirmed": "shop"}, "--incident"),
        (Tier.T3, {"confirmed": "shop", "incident": "inc-1"}, "--reason"),
        (Tier.T3, {"confirmed": "shop", "incident": "inc-1", "reason": "x" * 20}, ""),
    ],
)
@pytest.mark.parametrize("verb", [Verb.START, Verb.APPROVE])
def test_at_level_local_the_one_operator_types_the_service_out_from_t2_on(
    tier: Tier, change: dict[str, Any], because: str, verb: Verb
) -> None:
    answer = may(PEOPLE["local"], verb, tier, Channel.CLI, LOCAL.model_copy(update=change))
    assert answer.applied is (not because)
    assert because in answer.because


def test_at_level_local_the_operator_may_everything_else_and_machines_still_never_approve() -> None:
    for verb, tier in product(set(Verb) - {Verb.START, Verb.APPROVE, Verb.BREAK_GLASS}, Tier):
        assert may(PEOPLE["local"], verb, tier, Channel.CLI, LOCAL).applied
    own = LOCAL.model_copy(update={"is_its_own": True, "confirmed": "shop"})
    for tier in Tier:
        assert not may(PEOPLE["ci"], Verb.APPROVE, tier, Channel.CI, own).applied
