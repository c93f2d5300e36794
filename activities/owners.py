"""The role of owners: hold those who would take a rollback back, before its first write."""

from temporalio import activity

from activities.reconciler import Reconciliation, reconcile
from activities.step import Step, wants
from activities.targets import Owners, Target, Targets
from rollback_manager.errors import PermanentError
from rollback_manager.guard import Judgement
from rollback_manager.plan import OwnersHeld
from rollback_manager.progress import StepRecord


class OwnerActivities:
    """Activities that write to what other controllers follow."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def hold_owner(self, step: Step) -> StepRecord:
        """Each owner is held and does nothing any more; or has back what it had."""
        target = self._targets(step.env, step.plan.service)
        owners, wanted = owners_of(target), wants(step, OwnersHeld)
        words = f"{wanted.names} {'held' if wanted.hold else 'given back'}"
        harmless = Judgement(allowed=True, because="it touches no instance and no traffic")
        return reconcile(
            step,
            target,
            Reconciliation(
                written=lambda _: not step.leaves_mark and not owners.missing(wanted),
                guard=lambda _: harmless,
                write=lambda _: owners.set(wanted, step.mark) or f"{words} already",
                confirmed=lambda _, __: None if owners.missing(wanted) else words,
                missing=lambda _: owners.missing(wanted) or words,
            ),
        )


def owners_of(target: Target) -> Owners:
    """The role; a plan that holds somebody was made where there is one."""
    if target.owners is None:
        raise PermanentError(
            "the catalogue names no place any more where others write",
            effect="Nothing was written by this step.",
            next_step="See what changed in the catalogue since the plan was made.",
        )
    return target.owners
