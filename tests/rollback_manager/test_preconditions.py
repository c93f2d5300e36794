"""From what was seen of a platform to gates; what blocks says what to type."""

from typing import Any

import pytest

from rollback_manager.gates import GateAnswer
from rollback_manager.plan import ServicePlan
from rollback_manager.platform_facts import (
    Budget,
    ControllerFacts,
    HelmRelease,
    PlatformFacts,
    Quota,
)
from rollback_manager.policy import Policy
from rollback_manager.preconditions import preconditions

PLAN = ServicePlan(
    service="shop",
    strategy="rolling_update",
    from_version="v2",
    from_digest="b",
    to_version="v1",
    to_digest="a",
    target_because="verified",
    desired=4,
    floor=3,
    phases=(),
    policy=Policy(),
)


def controller(**more: Any) -> ControllerFacts:
    facts = {"name": "shop", "kind": "deployment", "replicas": 4, "ready": 4, **more}
    return ControllerFacts.model_validate(facts)


def seen(**more: Any) -> PlatformFacts:
    facts = {"kubectl": "kubectl -n shop", "namespace": "shop", "in_place": True}
    return PlatformFacts.model_validate({**facts, "controllers": (controller(),), **more})


def of_set(**more: Any) -> PlatformFacts:
    return seen(controllers=(controller(kind="statefulset", unavailable=1, **more),))


F, U, P = GateAnswer.FAILED, GateAnswer.INCONCLUSIVE, GateAnswer.PASSED
CASES: dict[str, tuple[PlatformFacts, str, GateAnswer, str]] = {
    "well": (seen(), "controllers", P, ""),
    "paused": (
        seen(controllers=(controller(paused=True),)),
        "controllers",
        F,
        "kubectl -n shop rollout resume deployment/shop",
    ),
    "recreate": (
        seen(controllers=(controller(strategy="Recreate"),)),
        "controllers",
        F,
        """'{"spec":{"strategy":{"type":"RollingUpdate"}}}'""",
    ),
    "recreate, nothing up": (
        seen(controllers=(controller(strategy="Recreate", ready=0),)),
        "controllers",
        P,
        "",
    ),
    "below the floor": (
        seen(controllers=(controller(unavailable=2),)),
        "controllers",
        F,
        '"maxUnavailable":1}',
    ),
    "on delete": (of_set(strategy="OnDelete"), "controllers", F, "OnDelete"),
    "partition": (
        of_set(partition=2, behind=("shop-0",)),
        "controllers",
        F,
        "has partition 2: shop-0 would stay",
    ),
    "partition of good pods": (of_set(partition=2), "controllers", P, ""),
    "stuck": (of_set(stuck=("shop-3",)), "controllers", U, "delete pod --wait=false shop-3"),
    "a set below the floor": (
        seen(controllers=(controller(kind="daemonset", unavailable=2),)),
        "controllers",
        U,
        "stops pods before it starts others",
    ),
    "quota": (
        seen(more=2, quotas=(Quota(name="q", resource="requests.cpu", left=0.5, each=0.5),)),
        "room",
        F,
        "q has 0.5 of requests.cpu left, 2 pods need 1",
    ),
    "quota that fits": (
        seen(more=2, quotas=(Quota(name="q", resource="pods", left=2, each=1),)),
        "room",
        P,
        "",
    ),
    "nothing is started": (
        seen(more=0, quotas=(Quota(name="q", resource="pods", left=0, each=1),)),
        "room",
        P,
        "",
    ),
    "must say": (
        seen(more=1, quotas=(Quota(name="q", resource="cpu", left=9, each=None),)),
        "room",
        F,
        "of which the template says nothing",
    ),
    "budget": (
        seen(
            in_place=False,
            budgets=(Budget(name="b", least=5, is_absolute=True, covers_bad=True),),
        ),
        "disruption_budgets",
        F,
        """patch poddisruptionbudget/b -p '{"spec":{"minAvailable":4}}'""",
    ),
    "a share of what is meant to be": (
        seen(
            in_place=False,
            budgets=(Budget(name="b", least=5, is_absolute=False, covers_bad=True),),
        ),
        "disruption_budgets",
        P,
        "",
    ),
    "a budget while it replaces": (
        seen(
            controllers=(controller(unavailable=1),),
            budgets=(Budget(name="b", least=4, is_absolute=True, covers_bad=True),),
        ),
        "disruption_budgets",
        U,
        "may go down to 3",
    ),
    "helm": (
        seen(
            helm="shop",
            pending=(HelmRelease(name="shop", revision=7, status="pending-upgrade", back_to=6),),
        ),
        "helm_release",
        F,
        "helm -n shop rollback shop 6",
    ),
    "helm, never whole": (
        seen(
            helm="shop",
            pending=(HelmRelease(name="shop", revision=1, status="pending-install", back_to=None),),
        ),
        "helm_release",
        F,
        "helm -n shop history shop",
    ),
    "no right": (
        seen(helm="shop", not_asked={"helm_release": "no right to read it"}),
        "helm_release",
        U,
        "not asked: no right to read it",
    ),
    "no right to the deny list": (
        seen(not_asked={"deny_list": "it cannot be written"}),
        "deny_list",
        U,
        "not asked: it cannot be written",
    ),
    "dangling": (seen(dangling={"gone": 10}), "routing", F, "Service gone, with weight 10"),
    "dangling, unused": (seen(dangling={"gone": 0}), "routing", U, "with weight 0"),
    "leaving": (seen(is_leaving=True), "namespace", F, "shop is being deleted"),
    "refused": (seen(tried=2, refused=("denied by x",)), "preflight", F, "denied by x"),
    "tried": (seen(tried=2), "preflight", P, "2 writes tried"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_matter_is_a_gate(name: str) -> None:
    facts, gate, answer, words = CASES[name]
    found = {one.gate: one for one in preconditions(facts, PLAN)}
    assert found[gate].answer is answer, found[gate]
    assert words in found[gate].because
    others = {one.answer for name, one in found.items() if name != gate}
    assert others == {GateAnswer.PASSED}


def test_what_is_locked_blocks_with_its_remedy() -> None:
    found = {one.gate: one for one in preconditions(seen(), PLAN, ["ConfigMap fixed"])}
    assert found["configuration"].answer is GateAnswer.FAILED
    assert "kubectl -n shop delete configmap fixed" in found["configuration"].because


def test_helm_is_asked_only_of_what_belongs_to_it() -> None:
    assert "helm_release" not in {one.gate for one in preconditions(seen(), PLAN)}
