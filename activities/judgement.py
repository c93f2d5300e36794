"""Calls the pure judgements, so that history keeps their answers while they may improve."""

from temporalio import activity

from rollback_manager.conclusion import rollback_outcome
from rollback_manager.fleet.tree import Tree, whole
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import (
    DecisionRecord,
    Result,
    RollbackOutcome,
    ServiceOutcome,
)
from rollback_manager.values import Seconds, Value


class Conclusion(Value):
    """What a rollback is judged from at its end. refused: why it was not allowed to begin.

    halts, commands: of the whole; each service has its own besides.
    """

    rollback: str
    plan: RollbackPlan
    services: tuple[ServiceOutcome, ...]
    decisions: tuple[DecisionRecord, ...]
    refused: Result | None
    seconds: Seconds
    halts: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class TreeConclusion(Value):
    """What a rollback in parts is judged from; ended: of the parts that were begun."""

    rollback: str
    tree: Tree
    ended: tuple[RollbackOutcome, ...]
    refused: Result | None


class JudgementActivities:
    """Activities that only think."""

    @activity.defn(no_thread_cancel_exception=True)
    def conclude(self, conclusion: Conclusion) -> RollbackOutcome:
        """How it ended, with all gates answered."""
        outcome = rollback_outcome(
            conclusion.rollback,
            conclusion.plan,
            conclusion.services,
            conclusion.refused,
            conclusion.seconds,
            halts=conclusion.halts,
            commands=conclusion.commands,
        )
        return outcome.model_copy(update={"decisions": conclusion.decisions})

    @activity.defn(no_thread_cancel_exception=True)
    def conclude_tree(self, conclusion: TreeConclusion) -> RollbackOutcome:
        """How a rollback in parts ended."""
        given = conclusion.rollback, conclusion.tree, conclusion.ended, conclusion.refused
        return whole(*given)
