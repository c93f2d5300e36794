"""Words and judgements about claims."""

from datetime import UTC, datetime, timedelta

import pytest

from rollback_manager import strategies
from rollback_manager.claim import (
    YOUNG,
    Claim,
    Left,
    Purpose,
    Watched,
    purpose_of,
    quarantined,
    target_of,
    took_over,
)
from rollback_manager.errors import Blocked
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.operation import Mark
from rollback_manager.plan import Removed, Split
from rollback_manager.planning.facts import PlanningFacts
from rollback_manager.planning.service import plan_service
from rollback_manager.policy import Policy
from rollback_manager.progress import EndState, Found
from rollback_manager.release import Release, Standing
from rollback_manager.rendering import terminal, terminal_orphans, web_ui_orphans

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CLAIM = Claim(
    env="prod",
    service="shop",
    rollback="rollback/prod/night",
    epoch=3,
    claimed_at=NOON,
    purpose=Purpose(from_version="v2", to_version="v1", strategy="blue_green", digest="a" * 64),
)
OTHER = CLAIM.model_copy(update={"rollback": "rollback/prod/other"})


@pytest.mark.parametrize("seconds", [0, 29, -29])
def test_a_claim_is_young_for_half_a_minute(seconds: int) -> None:
    assert CLAIM.is_young(NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [30, 3600, -3600])
def test_a_clock_that_is_ahead_keeps_no_claim_young(seconds: int) -> None:
    assert not CLAIM.is_young(NOON + timedelta(seconds=seconds))
    assert YOUNG.total_seconds() == 30


def test_quarantine_names_who_left_it_since_when_and_the_line_to_type() -> None:
    refusal = quarantined(CLAIM)
    assert refusal.what == (
        "shop is in quarantine: rollback/prod/night left it at epoch 3 on 2026-05-01 12:00:00Z,"
        " and does not run any more"
    )
    assert refusal.next_step.endswith("rollback-manager adopt shop --env prod")


@pytest.mark.parametrize("shares", [{"v1": 100}, {"v2": 100}, {"v1": 40, "v2": 60, "v3": 0}])
def test_going_on_goes_by_the_claim_wherever_the_traffic_is(shares: dict[str, int]) -> None:
    assert purpose_of(CLAIM, shares) == CLAIM.purpose


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (CLAIM, "v3 has traffic of shop"),
        (CLAIM.model_copy(update={"purpose": Purpose()}), "does not say what it was doing"),
    ],
)
def test_going_on_is_refused_where_it_would_be_a_guess(claim: Claim, said: str) -> None:
    with pytest.raises(Blocked, match=said) as caught:
        purpose_of(claim, {"v1": 50, "v3": 50})
    assert caught.value.next_step.endswith("adopt shop --env prod --give-back")


def test_an_adopter_goes_where_the_other_was_going_or_nowhere() -> None:
    assert target_of(CLAIM, None) == target_of(CLAIM, "v1") == "v1"
    with pytest.raises(Blocked, match="was going to v1: what adopts it cannot go to v0"):
        target_of(CLAIM, "v0")


def test_a_watchdog_has_news_where_orphans_or_its_sight_change() -> None:
    clear = Watched(env="prod", trouble="", looked=True)
    one = clear.model_copy(update={"orphans": (CLAIM,)})
    blind = one.model_copy(update={"trouble": "the records do not answer"})
    assert not clear.same_as(Watched(env="prod"))
    assert not clear.same_as(one)
    assert not one.same_as(clear.model_copy(update={"orphans": (OTHER,)}))
    assert not one.same_as(blind)
    assert blind.same_as(blind.model_copy(update={"trouble": "after 6 s no answer"}))
    later = CLAIM.model_copy(update={"epoch": 4})
    assert one.same_as(clear.model_copy(update={"orphans": (later,)}))


def test_what_was_done_beside_the_plan_is_told() -> None:
    assert took_over("", 3, 0) == []
    assert took_over("rollback/prod/night", 4, 0) == [
        "adopt: goes on from rollback/prod/night, at epoch 4"
    ]
    assert "carried epoch 7" in took_over("rollback/prod/night", 8, 7)[1]


def test_a_list_shows_orphans_first_each_with_its_line() -> None:
    seen = Watched(env="prod", orphans=(CLAIM,), trouble="the records do not answer", looked=True)
    assert terminal.listed([], [seen]) == (
        "started               state   services\n"
        "2026-05-01 12:00:00Z  ORPHAN  shop\n"
        "  rollback/prod/night left it at epoch 3\n"
        "  next: rollback-manager adopt shop --env prod\n"
        "orphans of prod: unknown: the records do not answer"
    )


def test_a_list_without_orphans_says_so_only_where_that_is_known() -> None:
    clear = Watched(env="prod", trouble="", looked=True)
    assert terminal.listed([], [clear]) == "no rollbacks"
    assert "orphans of prod: unknown: it has not looked" in terminal.listed(
        [], [Watched(env="prod")]
    )


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (None, "none of ours"),
        (Mark(op_id="0" * 16, epoch=2, step=9), "an earlier rollback's (epoch 2)"),
        (Mark(op_id="0" * 16, epoch=3, step=1), "epoch 3, step 1"),
        (Mark(op_id="0" * 16, epoch=9, step=1), "newer than the claim"),
    ],
)
def test_what_was_left_is_told_with_the_last_write(mark: Mark | None, said: str) -> None:
    found = Found(shares={"v1": 40, "v2": 60}, ready={"v1": 4, "v2": 3})
    text = terminal_orphans.left(
        Left(claim=CLAIM, end=EndState.MIXED, found=found, mark=mark, older=(OTHER,))
    )
    assert said in text
    for words in ("shop in prod", "v2 → v1", "rollback/prod/night at epoch 3", "MIXED", "v1 40 %"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_details_of_a_watchdog_name_each_orphan_up_to_a_limit() -> None:
    many = tuple(CLAIM.model_copy(update={"service": f"s{n}"}) for n in range(1000))
    text = web_ui_orphans.watchdog_details(
        Watched(env="prod", orphans=many, trouble="", looked=True)
    )
    assert text.startswith("### NEEDS A PERSON · prod")
    assert "`rollback-manager adopt s0 --env prod`" in text
    assert "and 950 more: `rollback-manager list --env prod`" in text
    assert len(text) < 20_000


@pytest.mark.parametrize("name", strategies.all_strategies())
@pytest.mark.parametrize("on_good", [0, 33, 100])
@pytest.mark.parametrize("bad_left", [0, 4])
def test_an_adopting_plan_never_shifts_back_or_removes_the_good_one(
    name: str, on_good: int, bad_left: int
) -> None:
    plan = plan_service(facts(CLAIM, name, on_good, bad_left), None)
    assert (plan.from_version, plan.to_version, plan.adopts) == ("v2", "v1", CLAIM.rollback)
    wanted = [action.wanted for action in plan.actions]
    splits = [one.shares.get("v1", 0) for one in wanted if isinstance(one, Split)]
    assert splits[-1] == 100
    assert all(share >= on_good for share in splits)
    assert {one.version for one in wanted if isinstance(one, Removed)} == {"v2"}


def test_an_adopting_plan_goes_where_the_claim_says_not_to_the_newest() -> None:
    to_v0 = CLAIM.purpose.model_copy(update={"to_version": "v0"})
    adopted = CLAIM.model_copy(update={"purpose": to_v0})
    assert plan_service(facts(adopted, "blue_green", 0, 4), None).to_version == "v0"


def facts(adopted: Claim, strategy: str, on_good: int, bad_left: int) -> PlanningFacts:
    seen = {"v0": 4, "v1": 4, "v2": bad_left}
    return PlanningFacts(
        service="shop",
        strategy=strategies.strategy_named(strategy),
        policy=Policy(),
        releases=(
            release("v0", Standing.VERIFIED, 3),
            release("v1", Standing.VERIFIED, 2),
            release("v2", Standing.BAD, 1),
        ),
        shares={"v1": on_good, "v2": 100 - on_good},
        running=seen,
        ready=seen,
        digests={version: f"sha256:{version}" for version in seen},
        snapshot=Snapshot(taken_at=NOON, versions={}),
        past=(),
        now=NOON,
        adopted=adopted,
    )


def release(version: str, standing: Standing, hours_ago: int) -> Release:
    return Release(
        version=version,
        digest=f"sha256:{version}",
        recorded_at=NOON - timedelta(hours=hours_ago),
        recorded_by="ci",
        standing=standing,
    )
