"""What every strategy promises, whatever it undoes. A new file in the folder is tested as well."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager import strategies
from rollback_manager.errors import PermanentError
from rollback_manager.guard import Side, judge_batch, judge_shift
from rollback_manager.plan import (
    Action,
    Capacity,
    Drained,
    NotWorse,
    Reduced,
    Removed,
    Split,
    Well,
)
from rollback_manager.policy import Policy
from rollback_manager.strategies import (
    ServiceFacts,
    Strategy,
    all_strategies,
    strategy_named,
)

EVERY = pytest.mark.parametrize("strategy", all_strategies().values(), ids=all_strategies())


@st.composite
def all_facts(draw: st.DrawFn) -> ServiceFacts:
    bad = draw(st.integers(1, 100))
    shares = {"bad": bad, "good": 100 - bad} if bad < 100 else {"bad": 100}
    desired = draw(st.integers(1, 40))
    return ServiceFacts(
        good="good",
        bad="bad",
        desired=desired,
        good_instances=draw(st.integers(0, 20)),
        bad_instances=draw(st.integers(0, desired)),
        shares=shares,
        policy=Policy(
            confirmed_share=draw(st.floats(0, 1)), keep_instances=draw(st.integers(0, 3))
        ),
    )


def actions(strategy: Strategy, facts: ServiceFacts) -> list[Action]:
    return [action for phase in strategy.phases(facts) for action in phase.actions]


def first(steps: list[Action], *kinds: type) -> int:
    """Place of the first step of such a kind; behind all others when there is none."""
    return next((n for n, step in enumerate(steps) if isinstance(step.wanted, kinds)), len(steps))


@EVERY
@given(facts=all_facts())
def test_no_phase_is_empty(strategy: Strategy, facts: ServiceFacts) -> None:
    phases = strategy.phases(facts)
    assert phases
    assert all(phase.name and phase.actions for phase in phases)
    assert len({phase.name for phase in phases}) == len(phases)


@EVERY
@given(facts=all_facts())
def test_every_step_ends_is_checked_and_has_a_way_back_or_says_why_not(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    for step in actions(strategy, facts):
        assert step.timeout_s > 0
        assert step.check
        assert (step.undo is None) == bool(step.no_undo_because)


@EVERY
@given(facts=all_facts())
def test_the_good_version_can_carry_the_load_before_the_bad_one_loses_traffic(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    able = 0
    for step in actions(strategy, facts):
        match step.wanted:
            case Capacity(version=facts.good, instances=instances):
                able = max(able, instances)
            case Split(shares=shares) if shares.get(facts.bad, 0) < facts.shares[facts.bad]:
                assert able >= facts.desired * shares[facts.good] / 100
            case Reduced(version=facts.bad, instances=left):
                assert able + left >= facts.desired
            case Drained(version=facts.bad) | Removed(version=facts.bad):
                assert able >= facts.desired


@EVERY
@given(facts=all_facts())
def test_the_guard_lets_each_planned_write_pass_where_all_is_well(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    """With every instance ready that was asked for; against the strictest floor there is."""
    ready = {"good": 0, "bad": facts.desired}
    shares = facts.shares
    if shares.get("good"):
        ready["good"] = facts.desired
    for step in actions(strategy, facts):
        match step.wanted:
            case Capacity(version=version, instances=instances):
                ready[version] = max(ready[version], instances)
            case Split(shares=then):
                now = sides(shares, then, ready)
                assert judge_shift(now, facts.desired).allowed, (step, ready)
                shares = then
            case Reduced(instances=left):
                now = sides(shares, shares, ready)
                assert judge_batch(now, "bad", left, facts.desired).allowed, (step, ready)
                ready["bad"] = min(ready["bad"], left)


def sides(now: dict[str, int], then: dict[str, int], ready: dict[str, int]) -> list[Side]:
    return [
        Side(version=v, now=now.get(v, 0), then=then.get(v, 0), ready=ready[v])
        for v in ("bad", "good")
        if now.get(v) or then.get(v)
    ]


@EVERY
@given(facts=all_facts())
def test_no_more_than_a_batch_stops_at_once(strategy: Strategy, facts: ServiceFacts) -> None:
    left = facts.desired
    for step in actions(strategy, facts):
        if isinstance(step.wanted, Reduced):
            gone, left = max(0, left - step.wanted.instances), step.wanted.instances
            if facts.shares.get("good", 0) == 0:
                assert gone <= max(1, 0.33 * facts.desired)


@EVERY
@given(facts=all_facts())
def test_traffic_is_never_taken_from_the_good_version(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    part = facts.shares.get("good", 0)
    for step in actions(strategy, facts):
        if isinstance(step.wanted, Split):
            assert step.wanted.shares["good"] >= part
            part = step.wanted.shares["good"]


@EVERY
@given(facts=all_facts())
def test_a_slice_that_harms_falls_back_to_the_weights_before_it(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    before: dict[str, int] = {}
    for step in actions(strategy, facts):
        if isinstance(step.wanted, Split):
            assert isinstance(step.undo, Split)
            before = step.undo.shares
        if isinstance(step.wanted, NotWorse):
            assert isinstance(step.fall_back, Split)
            assert step.fall_back.shares == before


@EVERY
@given(facts=all_facts())
def test_the_bad_version_is_removed_last_after_users_were_proven_well(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    steps = actions(strategy, facts)
    proven, removed = first(steps, Well), first(steps, Removed)
    assert first(steps, Split) < first(steps, Drained) < proven < removed
    assert all(isinstance(step.wanted, Removed) for step in steps[removed:])


@EVERY
@given(facts=all_facts())
def test_a_removal_names_who_carries_the_traffic_and_never_takes_the_good_version(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    for step in actions(strategy, facts):
        if isinstance(step.wanted, Removed):
            assert (step.wanted.version, step.wanted.kept) == (facts.bad, facts.good)
            assert step.wanted.instances == facts.policy.keep_instances


@EVERY
@given(facts=all_facts())
def test_all_traffic_ends_on_the_good_version_and_shares_always_sum_to_100(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    steps = actions(strategy, facts)
    splits = [step.wanted for step in steps if isinstance(step.wanted, Split)]
    undone = [step.undo for step in steps if isinstance(step.undo, Split)]
    assert splits[-1].shares == {facts.good: 100}
    assert all(sum(split.shares.values()) == 100 for split in (*splits, *undone))


@EVERY
@given(facts=all_facts())
def test_a_wanted_share_can_be_measured_at_all(strategy: Strategy, facts: ServiceFacts) -> None:
    for step in actions(strategy, facts):
        for split in (step.wanted, step.undo):
            if isinstance(split, Split):
                assert split.at_least <= split.shares[split.version] / 100


@EVERY
@given(facts=all_facts())
def test_undoing_the_shifts_puts_back_what_was_there(
    strategy: Strategy, facts: ServiceFacts
) -> None:
    undone = [step.undo for step in actions(strategy, facts) if isinstance(step.wanted, Split)]
    assert isinstance(undone[0], Split)
    assert undone[0].shares == facts.shares


@EVERY
def test_a_strategy_says_what_it_risks_and_what_stays(strategy: Strategy) -> None:
    assert strategy.traffic_back_s > 0
    assert all(risk.risk and risk.mitigation for risk in strategy.risks)
    assert strategy.touches_data or strategy.not_undone


@EVERY
def test_a_strategy_is_found_by_its_name(strategy: Strategy) -> None:
    assert strategy_named(strategy.name) is strategy


def test_there_is_one_strategy_per_file() -> None:
    files = {file.stem for file in Path(strategies.__path__[0]).glob("*.py")}
    assert set(all_strategies()) == files - {"__init__"}


def test_there_is_no_default_strategy() -> None:
    with pytest.raises(PermanentError, match=r"unknown strategy 'canari'; known: .*blue_green"):
        strategy_named("canari")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(strategies, "__path__", [str(tmp_path)])
    yield tmp_path
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(f"rollback_manager.strategies.{file.stem}", None)
        if hasattr(strategies, file.stem):
            delattr(strategies, file.stem)


def strategy_file(folder: Path, file: str, name: str) -> None:
    text = f"""
from rollback_manager.strategies import RiskLevel, Strategy
STRATEGY = Strategy(name={name!r}, phases=lambda facts: (), risk=RiskLevel.LOW,
                    automation="full", traffic_back_s=1)
"""
    (folder / f"{file}.py").write_text(text)


def test_dropping_a_file_in_adds_a_strategy(folder: Path) -> None:
    strategy_file(folder, "probe_b", "b")
    strategy_file(folder, "probe_a", "a")
    assert list(all_strategies.__wrapped__()) == ["a", "b"]


def test_two_strategies_of_one_name_stop_the_start(folder: Path) -> None:
    strategy_file(folder, "probe_c", "twin")
    strategy_file(folder, "probe_d", "twin")
    with pytest.raises(PermanentError, match="two strategies are called twin"):
        all_strategies.__wrapped__()
