"""Judges that people bring along, as the catalogue has them: Kayenta's and Argo Rollouts'.

They judge what is counted here already, minute by minute; no query of theirs is ever sent. Each
says whether it only advises or may alarm. Pure, and without numpy, as all of the catalogue.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.watch.argo_judge import ArgoJudge
from rollback_manager.watch.kayenta_judge import KayentaJudge
from rollback_manager.watch.signals import Subject, names_differ


def _can_be_told_apart(
    judges: tuple[KayentaJudge | ArgoJudge, ...],
) -> tuple[KayentaJudge | ArgoJudge, ...]:
    names_differ("judges of one kind", (f"{one.kind} {one.name}" for one in judges))
    return judges


Judge = Annotated[KayentaJudge | ArgoJudge, Field(discriminator="kind")]
Judges = Annotated[tuple[Judge, ...], AfterValidator(_can_be_told_apart)]

TRIGGERS = {
    Subject.ERRORS: TriggerKind.CRITICAL_ERROR_RATE,
    Subject.LATENCY: TriggerKind.LATENCY_DEGRADATION,
}
"""A judge of throughput fires none: how much the split sends is not the release's doing."""


def named(judge: KayentaJudge | ArgoJudge, subject: Subject) -> str:
    """How its findings about `subject` are named: the same at every look."""
    return f"{judge.kind}_{subject} {judge.name}"


def trigger_of(test: str) -> TriggerKind | None:
    """The trigger of a finding named by `named`; None for one that fires none, or is another's."""
    kind, _, subject = test.partition(" ")[0].partition("_")
    known = kind in ("kayenta", "argo") and subject in set(Subject)
    return TRIGGERS.get(Subject(subject)) if known else None


def minutes_kept(judges: Iterable[KayentaJudge | ArgoJudge]) -> int:
    """How many minutes of readings these judges need; 0 for none."""
    return max((one.reach_minutes for one in judges), default=0)
