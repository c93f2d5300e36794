"""The phase that writes configuration back: where it stands, and what is told beside it."""

from rollback_manager import actions
from rollback_manager.configuration import is_restored, with_configuration
from rollback_manager.drift import Drift
from rollback_manager.owners import Owner, OwnerKind
from rollback_manager.plan import Alternative, Configured, Phase, ServicePlan
from rollback_manager.policy import Policy

CHANGED = Drift(restored=("ConfigMap shop",), stays=("Secret db was written since",))


def plan(*phases: Phase, others: tuple[str, ...] = ()) -> ServicePlan:
    return ServicePlan(
        service="shop",
        strategy="rolling_update",
        from_version="v2",
        from_digest="b",
        to_version="v1",
        to_digest="a",
        target_because="verified",
        desired=2,
        floor=2,
        phases=phases,
        policy=Policy(),
        not_undone=("data stays",),
        alternatives=tuple(
            Alternative(version=one, digest="c", because="older", phases=()) for one in others
        ),
    )


CARRY = Phase(name="carry", actions=(actions.carry("v1", 2, Policy()),))
OWNER = Owner(kind=OwnerKind.ARGO_CD, name="shop")
HOLD = Phase(name="hold", actions=(actions.hold((OWNER,), 2, Policy()),))


def test_it_comes_before_all_other_writes_but_the_hold_of_owners() -> None:
    found = with_configuration(plan(HOLD, CARRY), CHANGED, "sha256:a", "sha256:b")
    names = [phase.name for phase in found.phases]
    assert names == ["hold", "restore the configuration", "carry"]
    bare = with_configuration(plan(CARRY), CHANGED, "sha256:a", "sha256:b")
    assert bare.phases[0].name == "restore the configuration"


def test_its_undo_writes_back_what_stands_there_now() -> None:
    found = with_configuration(plan(CARRY), CHANGED, "sha256:a", "sha256:b")
    (action,) = found.phases[0].actions
    assert isinstance(action.wanted, Configured)
    assert isinstance(action.undo, Configured)
    wanted, undo = action.wanted, action.undo
    assert (wanted.version, wanted.digest, wanted.before) == ("v1", "sha256:a", "sha256:b")
    assert (undo.version, undo.digest, undo.before) == ("v2", "sha256:b", "sha256:a")
    assert is_restored(found)


def test_what_stays_is_told_in_any_case() -> None:
    nothing = CHANGED.model_copy(update={"restored": ()})
    found = with_configuration(plan(CARRY), nothing, "sha256:a", "")
    assert found.phases == (CARRY,)
    assert found.not_undone == ("data stays", "Secret db was written since")
    assert not is_restored(found)


def test_another_candidate_would_have_the_configuration_of_the_first() -> None:
    found = with_configuration(plan(CARRY, others=("v0",)), CHANGED, "sha256:a", "sha256:b")
    assert "going on to v0 would leave the configuration of v1" in found.not_undone
