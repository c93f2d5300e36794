"""The plan's digest: what people agree to, no more and no less."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rollback_manager.plan import (
    NOT_AGREED_TO,
    Action,
    ActionKind,
    Drained,
    Estimate,
    RollbackPlan,
    Split,
    digest_of,
    short,
)
from tests.builders import at, plan

PLAN = plan()


def as_json(made: RollbackPlan = PLAN) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(made.model_dump_json())
    return tree


def reordered(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: reordered(node[key]) for key in reversed(node)}
    return [reordered(one) for one in node] if isinstance(node, list) else node


Path = tuple[str | int, ...]


def leaves(node: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in the plan where a single value stands."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in children:
        if isinstance(value, dict | list) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def changed(path: Path) -> RollbackPlan | None:
    """The plan with another value at one place; None where no other value is allowed."""
    for other in OTHERS:
        tree = as_json()
        node: Any = tree
        for key in path[:-1]:
            node = node[key]
        if node[path[-1]] == other:
            continue
        node[path[-1]] = other
        try:
            made = RollbackPlan.model_validate(tree)
        except ValidationError:
            continue
        if made != PLAN:
            return made
    return None


OTHERS: tuple[Any, ...] = (
    *("hold", "reject", "other", False, True, 1, 7, 0.5, ["x"], None),
    *("T2", {"votes": 2}),
    {"kind": "drain", "version": "v9"},
    [{"risk": "r", "mitigation": "m"}],
)
AGREED = [path for path in leaves(as_json()) if path[0] not in NOT_AGREED_TO]
FIXED = {"kind", "shares", "percents", "alternatives"}
"""Changing one of these alone makes no plan: they are tested by name below."""


def test_a_digest_is_64_hex_digits() -> None:
    assert len(PLAN.digest) == 64
    assert int(PLAN.digest, 16)
    assert short(PLAN.digest) == f"{PLAN.digest[:4]}…{PLAN.digest[-2:]}"


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of(RollbackPlan.model_validate(reordered(as_json()))) == PLAN.digest


def test_the_digest_does_not_depend_on_the_order_of_versions() -> None:
    digests = set()
    for shares in ({"v1": 40, "v2": 60}, {"v2": 60, "v1": 40}):
        tree = as_json()
        tree["services"][0]["phases"][1]["actions"][0]["undo"]["shares"] = shares
        digests.add(digest_of(RollbackPlan.model_validate(tree)))
    assert len(digests) == 1


def test_the_digest_survives_history() -> None:
    stored = RollbackPlan.model_validate_json(PLAN.model_dump_json())
    assert stored == PLAN
    assert stored.digest == PLAN.digest


def test_the_digest_survives_fields_of_a_newer_build() -> None:
    tree = as_json() | {"of_a_newer_build": 1}
    tree["services"][0]["of_a_newer_build"] = 1
    assert digest_of(RollbackPlan.model_validate(tree)) == PLAN.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"found": ()},
        {"gates": ()},
        {"estimate": Estimate(traffic_back_s=1, verified_s=2, source="other")},
        {"made_at": at(999)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_digest_stays_while_only_figures_move(changes: dict[str, Any]) -> None:
    assert digest_of(plan(**changes)) == PLAN.digest
    assert set(changes) <= NOT_AGREED_TO


@pytest.mark.parametrize("path", AGREED, ids=lambda path: ".".join(map(str, path)))
def test_the_digest_changes_with_each_agreed_value(path: Path) -> None:
    made = changed(path)
    if made is None:
        assert FIXED & set(path), "no other value was found for it: extend the candidates"
    else:
        assert digest_of(made) != PLAN.digest


def test_the_digest_covers_every_field_but_the_figures() -> None:
    assert {path[0] for path in AGREED} == set(RollbackPlan.model_fields) - NOT_AGREED_TO


def test_a_copy_with_other_content_has_another_digest() -> None:
    first = plan()
    assert first.digest  # asked for once before, as every surface does
    assert digest_of(first.model_copy(update={"env": "production"})) != first.digest


def test_the_digest_changes_with_the_slices_and_with_where_to_go_next() -> None:
    for made in (_with_other_slices(), _with_an_alternative()):
        assert digest_of(made) != PLAN.digest


def _with_other_slices() -> RollbackPlan:
    tree = as_json()
    tree["services"][0]["policy"]["slices"]["percents"] = [50, 100]
    return RollbackPlan.model_validate(tree)


def _with_an_alternative() -> RollbackPlan:
    tree = as_json()
    other = {"version": "v0", "digest": "sha256:v0", "because": "older", "phases": []}
    tree["services"][0]["alternatives"] = [other]
    return RollbackPlan.model_validate(tree)


def test_the_digest_changes_with_the_shares_and_the_kind_of_a_step() -> None:
    for step, place in (("shares", {"v1": 50, "v2": 50}), ("kind", "drain")):
        tree = as_json()
        shift = tree["services"][0]["phases"][1]["actions"][0]
        shift["wanted"][step] = place
        assert digest_of(RollbackPlan.model_validate(tree)) != PLAN.digest


def test_the_digest_changes_with_the_order_of_steps() -> None:
    tree = as_json()
    tree["services"][0]["phases"].reverse()
    assert digest_of(RollbackPlan.model_validate(tree)) != PLAN.digest


def test_a_plan_cannot_be_changed_after_it_was_agreed_to() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(PLAN, "env", "production")  # noqa: B010  # mypy would refuse the plain way


@given(st.dictionaries(st.sampled_from("abc"), st.integers(-1, 101)))
def test_shares_always_sum_to_100(shares: dict[str, int]) -> None:
    legal = sum(shares.values()) == 100 and all(0 <= part <= 100 for part in shares.values())
    try:
        made = Split(version="a", shares=shares)
    except ValidationError:
        assert not legal
    else:
        assert legal
        assert made.shares == shares


def test_a_step_is_called_by_its_kind() -> None:
    action = Action(wanted=Drained(version="v2"), timeout_s=1, check="quiet", no_undo_because="-")
    assert action.kind is ActionKind.DRAIN
    assert action.name == "drain"


def test_the_actions_of_a_service_are_in_order() -> None:
    names = [action.name for action in PLAN.services[0].actions]
    assert names == ["prepare", "redirect_traffic", "drain", "verify", "clean_up"]
