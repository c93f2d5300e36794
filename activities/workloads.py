"""The role of workloads: make a version able to carry the load; stop one that nobody needs."""

from datetime import datetime

from temporalio import activity

from activities.disturbed import pre_empted
from activities.look import Look, Looks
from activities.reconciler import Reconciliation, reconcile
from activities.step import Step, wants
from activities.targets import Targets
from rollback_manager.guard import Judgement, judge_batch, judge_relief, judge_removal
from rollback_manager.moves import FOLLOWS, REPLACES
from rollback_manager.plan import Capacity, Reduced, Removed
from rollback_manager.progress import StepRecord


class WorkloadActivities:
    """Activities that start and stop instances."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def prepare(self, step: Step) -> StepRecord:
        """At least the wanted instances are ready and in the proxy's rotation."""
        target = self._targets(step.env, step.plan.service)
        wanted = wants(step, Capacity)

        def write(look: Look) -> str:
            instances = max(wanted.instances, look.kept(wanted.version))
            rollout = pre_empted(target, wanted.version)
            target.workloads.scale(wanted.version, instances, step.mark)
            return f"{instances} instances of {wanted.version}{rollout}"

        def written(look: Look) -> bool:
            state = look.versions.get(wanted.version)
            if step.leaves_mark or (state and state.current is False):
                return False
            return look.running(wanted.version) >= wanted.instances

        return reconcile(
            step,
            target,
            Reconciliation(
                written=written,
                guard=_only_adds,
                write=write,
                confirmed=lambda looks, _: capacity(looks.all[-1], wanted),
                missing=lambda look: (
                    f"{look.able(wanted.version)} of {wanted.instances} instances of"
                    f" {wanted.version} are ready and in rotation ({look})"
                ),
            ),
        )

    @activity.defn(no_thread_cancel_exception=True)
    def stop_batch(self, step: Step) -> StepRecord:
        """At most the wanted instances run of a version that keeps its share of the traffic."""
        target = self._targets(step.env, step.plan.service)
        wanted, floor = wants(step, Reduced), step.plan.floor

        def write(_: Look) -> str:
            target.workloads.scale(wanted.version, wanted.instances, step.mark)
            return f"{wanted.instances} instances of {wanted.version}"

        def guard(look: Look) -> Judgement:
            if look.shares.moves in FOLLOWS:
                return judge_relief(look.able(wanted.kept), floor)
            sides = look.sides(look.shares.shares)
            return judge_batch(sides, wanted.version, wanted.instances, floor)

        return reconcile(
            step,
            target,
            Reconciliation(
                written=lambda look: _is_reduced(look, wanted),
                guard=guard,
                write=write,
                confirmed=lambda looks, _: _reduced(looks.all[-1], wanted),
                missing=lambda look: f"{look.running(wanted.version)} instances still run",
            ),
        )

    @activity.defn(no_thread_cancel_exception=True)
    def clean_up(self, step: Step) -> StepRecord:
        """At most the wanted instances of the bad version run; its definition stays."""
        target = self._targets(step.env, step.plan.service)
        wanted = wants(step, Removed)

        def write(_: Look) -> str:
            target.workloads.scale(wanted.version, wanted.instances, step.mark)
            return f"{wanted.instances} instances of {wanted.version}"

        def confirmed(looks: Looks, _: datetime) -> str | None:
            running = looks.all[-1].running(wanted.version)
            return f"{running} instances run" if running <= wanted.instances else None

        return reconcile(
            step,
            target,
            Reconciliation(
                written=lambda look: _is_reduced(look, wanted),
                guard=lambda look: judge_removal(
                    kept_ready=look.able(wanted.kept),
                    floor=step.plan.floor,
                    percent=look.shares.shares.get(wanted.version, 0),
                    in_flight=look.in_flight(wanted.version),
                ),
                write=write,
                confirmed=confirmed,
                missing=lambda look: f"{look.running(wanted.version)} instances still run",
            ),
        )


def _only_adds(look: Look) -> Judgement:
    if look.shares.moves in REPLACES:
        because = "its controller replaces no more at once than its own settings allow"
        return Judgement(allowed=True, because=because)
    return Judgement(allowed=True, because="it only adds instances")


def _is_reduced(look: Look, wanted: Reduced | Removed) -> bool:
    """Whether there is nothing to write: it runs no more than that, or one controller keeps all.

    That one replaces instances by itself; to scale a version there is to bring it up.
    """
    if any(state.current is not None for state in look.versions.values()):
        return True
    return look.running(wanted.version) <= wanted.instances


def _reduced(look: Look, wanted: Reduced) -> str | None:
    """In words, once neither supervisor nor proxy has more than the wanted instances."""
    counts = look.snapshot.versions.get(wanted.version)
    running, serving = look.running(wanted.version), counts.serving if counts else 0
    if max(running, serving) > wanted.instances:
        return None
    return f"{running} instances of {wanted.version} run, {serving} in rotation"


def capacity(look: Look, wanted: Capacity) -> str | None:
    """In words, that the wanted capacity is there; else None."""
    able = look.able(wanted.version)
    if not look.has(wanted):
        return None
    return f"{able} of {wanted.instances} instances of {wanted.version} ready and in rotation"
