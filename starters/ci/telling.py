"""What a job is told at the end of a verb: annotations, outputs and the summary of its page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from starters import settings
from starters.ci import github
from starters.ci.github import Level

if TYPE_CHECKING:
    from rollback_manager.progress import RollbackOutcome
    from starters.answer import Answer
    from starters.ci.job import Job

MOST = 10
"""Annotations of a kind that GitHub shows for a step."""
REFUSED = "refused"
RUNNING = "running"


def ended(job: Job, answer: Answer) -> None:
    """Tell the job how a rollback stands or ended; other answers speak for themselves."""
    if "outcome" not in answer.document or not job.is_github:
        return
    outcome = _outcome(answer.document)
    for line in _annotations(answer, outcome):
        print(line, file=sys.stderr, flush=True)
    if job.output:
        github.output(job.output, outputs(answer.document, answer.code))
    if job.summary and answer.summary and not github.summary(job.summary, answer.summary):
        github.summary(job.summary, _too_long(answer))


def refused(job: Job, what: Mapping[str, str], code: int) -> None:
    """Tell the job what was refused, what it means for production and what to do next."""
    if not job.is_github:
        return
    told = f"{what['what']} {what['effect']} Next: {what['next_step']}"
    print(github.annotation(Level.ERROR, f"refused (exit {code})", told), file=sys.stderr)
    if job.output:
        nothing = {"rollback_id": "", "outcome": REFUSED, "report_url": ""}
        github.output(job.output, {**nothing, "exit_code": str(code)})
    if job.summary:
        from rollback_manager.rendering.markdown import refusal

        github.summary(job.summary, refusal(what, code))


def outputs(document: Mapping[str, object], code: int) -> dict[str, str]:
    """The four outputs of a job; `report_url` is empty where no gateway is named."""
    rollback = str(document.get("rollback", ""))
    outcome = _outcome(document)
    by = settings.read().by_gateway
    return {
        "rollback_id": rollback,
        "outcome": str(outcome.result) if outcome else RUNNING,
        "report_url": f"{by.url}/{rollback}/report" if by else "",
        "exit_code": str(code),
    }


def _annotations(answer: Answer, outcome: RollbackOutcome | None) -> Iterator[str]:
    if outcome is None:
        told = str(answer.document.get("because", "it continues"))
        yield github.annotation(Level.WARNING, "the rollback continues", told)
        return
    yield from _unmet(outcome)
    level = Level.NOTICE if answer.code == 0 else Level.ERROR
    title = f"{outcome.rollback} {outcome.result} (exit {answer.code})"
    yield github.annotation(level, title.replace("_", " "), f"{outcome.because}. {outcome.effect}")


def _unmet(outcome: RollbackOutcome) -> Iterator[str]:
    """Guards that failed are errors, those that cannot tell are warnings; the first few of each.

    One error less than GitHub shows: the outcome is told last, and must not be the one left out.
    """
    from rollback_manager.gates import GateAnswer

    for answer, level, most in (
        (GateAnswer.FAILED, Level.ERROR, MOST - 1),
        (GateAnswer.INCONCLUSIVE, Level.WARNING, MOST),
    ):
        for gate in [one for one in outcome.gates if one.answer is answer][:most]:
            yield github.annotation(level, f"gate {gate.gate}", gate.because)


def _outcome(document: Mapping[str, object]) -> RollbackOutcome | None:
    from rollback_manager.progress import RollbackOutcome

    told: Any = document.get("outcome")
    return RollbackOutcome.model_validate(told) if told else None


def _too_long(answer: Answer) -> str:
    """The head of the summary, which is what people look for."""
    head = answer.summary.partition("<details>")[0][: github.LARGEST_SUMMARY // 2]
    rollback = answer.document.get("rollback")
    return f"{head}\n\nThe rest is too long for this page: `rollback-manager report {rollback}`"
