"""A write that was given up is sealed where it would have landed."""

from rollback_manager.plan import (
    Action,
    ActionKind,
    Capacity,
    Configured,
    Phase,
    ServicePlan,
    Split,
)
from rollback_manager.policy import Policy
from rollback_manager.progress import Found
from workflows.undo import Undo, seals

OBJECTS = ("ConfigMap shop-config",)
WANTED = Configured(version="v1", digest="sha256:a", before="sha256:b", objects=OBJECTS)
BACK = WANTED.model_copy(update={"version": "v2", "digest": "sha256:b", "before": "sha256:a"})
RESTORE = Action(wanted=WANTED, timeout_s=5, check="as recorded", undo=BACK)
PLAN = ServicePlan(
    service="shop",
    strategy="rolling_update",
    from_version="v2",
    from_digest="b",
    to_version="v1",
    to_digest="a",
    target_because="verified",
    desired=2,
    floor=2,
    phases=(Phase(name="restore the configuration", actions=(RESTORE,)),),
    policy=Policy(),
)
FOUND = Found(shares={"v2": 100}, ready={"v1": 0, "v2": 2}, current="v2")


def test_a_loose_write_of_configuration_is_sealed_on_its_own_objects() -> None:
    (seal,) = seals({ActionKind.RESTORE_CONFIGURATION}, FOUND, PLAN)
    assert isinstance(seal.wanted, Configured)
    assert (seal.wanted.objects, seal.wanted.digest) == (OBJECTS, ""), "as found, with our mark"


def test_other_loose_writes_are_sealed_as_before() -> None:
    loose = {ActionKind.REDIRECT_TRAFFIC, ActionKind.PREPARE, ActionKind.RESTORE_CONFIGURATION}
    kinds = [type(one.wanted) for one in seals(loose, FOUND, PLAN)]
    assert kinds == [Split, Configured, Capacity]


def test_configuration_is_put_back_last() -> None:
    undo = Undo()
    undo.note(RESTORE)
    carry = Capacity(version="v2", instances=2)
    undo.note(RESTORE.model_copy(update={"wanted": carry, "undo": carry}))
    assert [one.wanted for one in undo.actions()] == [carry, BACK]
