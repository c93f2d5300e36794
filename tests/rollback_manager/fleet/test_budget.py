"""The window: first come, first served; a person's own is counted, and what is held stays held."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.fleet import budget as judging
from rollback_manager.fleet.budget import Ask, Budget, BudgetAnswer, Judging, Standing
from rollback_manager.policy import FleetPolicy
from rollback_manager.rendering import budget as rendering

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = FleetPolicy(budget=3, budget_window_s=600)

ASKS = st.lists(
    st.tuples(st.integers(0, 1_800), st.sampled_from(("alert", "ci", "manual")), st.booleans()),
    max_size=40,
)


def ask(number: int, trigger: str = "alert", *, was_held: bool = False) -> Ask:
    return Ask(
        rollback=f"rollback/prod/k{number}",
        env="prod",
        services=(f"s{number}",),
        trigger=trigger,
        was_held=was_held,
        policy=POLICY,
    )


def take(budget: Budget, one: Ask, now: datetime) -> tuple[Budget, Standing]:
    question = Judging(policy=POLICY, grants=budget.grants, asks=(one,), now=now)
    (standing,) = judging.judge(question).standings
    change = judging.hold if standing is Standing.HELD else judging.admit
    return change(budget, one, now), standing


@given(ASKS)
def test_no_window_ever_admits_more_than_its_budget_by_itself(
    asks: list[tuple[int, str, bool]],
) -> None:
    budget, began = Budget(env="prod"), list[datetime]()
    for number, (second, trigger, was_held) in enumerate(sorted(asks)):
        now = NOON + timedelta(seconds=second)
        one = ask(number, trigger, was_held=was_held)
        budget, standing = take(budget, one, now)
        window = [at for at in began if now - at < timedelta(seconds=600)]
        if trigger == "manual":
            assert standing is Standing.ADMITTED
        elif was_held or len(window) >= POLICY.budget:
            assert standing is Standing.HELD
        else:
            assert standing is Standing.ADMITTED
        if standing is Standing.ADMITTED:
            began.append(now)
    assert len(began) + len(budget.held) == len(asks)


def test_those_that_ask_together_are_judged_in_their_order() -> None:
    asks = tuple(ask(number) for number in range(5))
    question = Judging(policy=POLICY, grants=(), asks=asks, now=NOON)
    assert [str(one) for one in judging.judge(question).standings] == ["admitted"] * 3 + [
        "held"
    ] * 2


def test_asking_again_takes_no_second_place_and_asks_no_second_question() -> None:
    budget = Budget(env="prod", policy=POLICY)
    for number in (0, 0, 0, 1, 2, 3, 3):
        budget, _ = take(budget, ask(number), NOON)
    assert len(budget.grants) == 3
    assert [one.rollback for one in budget.held] == ["rollback/prod/k3"]


def held(count: int) -> Budget:
    budget = Budget(env="prod", policy=POLICY)
    for number in range(3 + count):
        budget, _ = take(budget, ask(number), NOON + timedelta(seconds=10 * number / (2 + count)))
    return budget


def test_all_that_are_held_are_one_question() -> None:
    assert judging.question(held(0)) == ""
    assert judging.question(held(197)) == (
        "197 rollbacks of env prod were asked for within 10 s, budget 3 in 600 s: one cause?"
    )
    named = rendering.services(held(197))
    assert named.startswith("197 services: s10, s100, ")
    assert named.endswith(" and 177 more")
    assert len(rendering.details(held(1_000))) < 20_000
    assert len(rendering.terminal(held(1_000)).splitlines()) < 60


def test_an_answer_counts_only_for_what_is_held() -> None:
    budget = held(2)
    names = tuple(one.rollback for one in budget.held)
    assert judging.named_by(budget, BudgetAnswer(by="anna", everything=True)) == (names, "")
    for wrong in (
        BudgetAnswer(by=" ", everything=True),
        BudgetAnswer(by="anna"),
        BudgetAnswer(by="anna", everything=True, rollbacks=names),
        BudgetAnswer(by="anna", rollbacks=("rollback/prod/k0",)),
    ):
        chosen, because = judging.named_by(budget, wrong)
        assert (chosen, bool(because)) == ((), True)


def test_those_admitted_by_a_person_take_places_and_those_dismissed_do_not() -> None:
    budget = held(2)
    first, second = (one.rollback for one in budget.held)
    left = judging.answered(budget, Standing.ADMITTED, (first,), NOON)
    assert (len(left.grants), [one.rollback for one in left.held]) == (4, [second])
    left = judging.answered(left, Standing.DISMISSED, (second,), NOON)
    assert (len(left.grants), left.held) == (4, ())
