"""Mechanisms taken out of a worker of the proof, to show that the oracle sees what they prevent.

There is no switch in the product: a wrapper round a role, an interceptor, or another function in
the place of the product's, in this process alone.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from temporalio.worker import (
    Interceptor,
    StartChildWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ChildWorkflowHandle

from activities import fence, traffic, workloads
from activities.targets import SharesAsSet, Target, Traffic
from rollback_manager.guard import Judgement
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.operation import Mark
from workers.wiring import Parts


class Mechanism(StrEnum):
    """What keeps a rollback from doing harm. The value is its name in the table."""

    GUARD = "guard"
    OP_ID = "op_id"
    FENCE = "fence"
    DEDUPE = "dedupe"


GUARDS: Mapping[str, object] = {
    "judge_shift": traffic,
    "judge_removal": workloads,
    "judge_batch": workloads,
}


def take_out(name: str) -> None:
    """Put another function in the place of the product's, where the mechanism is a function."""
    if name == Mechanism.GUARD:
        for judge, module in GUARDS.items():
            setattr(module, judge, _lets_all_through)
    if name == Mechanism.FENCE:
        vars(fence)["_refuse_if_stale"] = lambda *_: None


def without(name: str, parts: Parts) -> Parts:
    """The same parts, where the mechanism rests on what a role tells."""
    if name != Mechanism.OP_ID:
        return parts
    real = parts.targets

    def target(env: str, service: str) -> Target:
        found = real(env, service)
        return replace(found, traffic=_Forgetful(found.traffic))

    return replace(parts, targets=target)


def interceptors(name: str) -> Sequence[Interceptor]:
    """Where the mechanism is an id of Temporal's."""
    return [_Unlocked()] if name == Mechanism.DEDUPE else []


def _lets_all_through(*_: object, **__: object) -> Judgement:
    return Judgement(allowed=True, because="the guard was taken out")


class _Forgetful:
    """Never tells whose write stands there, so that none finds its own."""

    def __init__(self, real: Traffic) -> None:
        self._real = real

    def shares(self) -> SharesAsSet:
        return self._real.shares().model_copy(update={"mark": None})

    def split(self) -> dict[str, int]:
        return self._real.split()

    def set_shares(self, shares: dict[str, int], mark: Mark, seen: str | None = None) -> None:
        self._real.set_shares(shares, mark, seen)

    def snapshot(self, max_age_s: float = 0.0) -> Snapshot:
        return self._real.snapshot(max_age_s)

    def by_hand(self, shares: dict[str, int]) -> tuple[str, ...]:
        return self._real.by_hand(shares)


class _Unlocked(Interceptor):
    """A child under an id of its own: no two rollbacks of a service meet in one lock."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Children(outbound))


class _Children(WorkflowOutboundInterceptor):
    async def start_child_workflow(
        self, input: StartChildWorkflowInput
    ) -> ChildWorkflowHandle[object, object]:
        unique = f"{input.id}/{uuid.uuid4().hex[:6]}"
        return await super().start_child_workflow(replace(input, id=unique))
