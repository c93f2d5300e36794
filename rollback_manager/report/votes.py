"""What people said: votes, the decision that follows from them, and commands."""

from rollback_manager.contract import Answered, Vote
from rollback_manager.plan import short
from rollback_manager.progress import DecisionRecord
from rollback_manager.report.contents import CommandLine, DecisionLine, Moment
from rollback_manager.report.entries import MESSAGES, Entry, Kind
from rollback_manager.report.evidence import Evidence
from rollback_manager.values import Value

VOTES = {"approve": "an approver agreed", "reject": "an approver said no"}
COMMANDS = {
    "abort": "an operator asked to abort",
    "pause": "an operator asked to pause",
    "resume": "an operator asked to go on",
    "retry_step": "an operator asked to try the step again",
    "skip_step": "an operator asked to go on without the step",
}
NO_VOTE = Vote(plan="", by="", method="")


def decisions(evidence: Evidence) -> tuple[DecisionLine, ...]:
    """Every vote that reached the rollback, counted or not."""
    votes = (e for e in evidence.parent if e.kind in MESSAGES and e.name in VOTES)
    return tuple(_decision(entry, evidence) for entry in votes)


def commands(evidence: Evidence) -> tuple[CommandLine, ...]:
    """What people asked for on the way; what a parent passes on is not repeated."""
    return tuple(_command(e, evidence) for e in evidence.entries if _is_command(e, evidence))


def decided(evidence: Evidence, votes: tuple[DecisionLine, ...]) -> Moment | None:
    """The moment at which it was decided to roll back."""
    plan, made = evidence.plan, evidence.planning
    if plan is None or made is None:
        return None
    if not plan.approval.required:
        text = "policy asks for no approval: decided with the plan"
        return Moment(at=made.at, source=made.source, text=text)
    agreed = [v for v in votes if v.decision == "approve" and v.counted.startswith("counted")]
    needed = plan.quorum.votes if plan.quorum else 1
    if len(agreed) < needed:
        return None
    who = "an approver" if needed < 2 else f"{needed} approvers"
    last = agreed[needed - 1]
    text = f"{who} agreed to plan {short(evidence.digest)}"
    return Moment(at=last.at, source=last.source, text=text)


def in_words(applied: bool, because: str) -> str:
    """Whether something counted, and why."""
    if applied:
        return because if because.startswith("counted") else f"counted: {because}"
    return f"ignored: {because}"


def _decision(entry: Entry, evidence: Evidence) -> DecisionLine:
    vote = entry.says(Vote) or NO_VOTE
    record = _record(entry, evidence)
    signed = record is not None and record.signed
    by, method = (record.by, record.method) if record and signed else (vote.by, vote.method)
    told = in_words(record.counted, record.because) if record else ""
    return DecisionLine(
        at=entry.at,
        decision=entry.name,
        by=by,
        method=method,
        plan=vote.plan,
        counted=_marked(_answer(entry, evidence) or told, entry, by, evidence),
        reason=vote.reason,
        source=entry.source,
        signed=signed,
    )


def _marked(counted: str, entry: Entry, by: str, evidence: Evidence) -> str:
    """One operator alone keeps no two-person rule: the report says where that was so."""
    own = entry.name == "approve" and by == evidence.request.requested_by
    return f"{counted}; approved by its requester" if own and counted[:7] == "counted" else counted


def _answer(entry: Entry, evidence: Evidence) -> str:
    """What an update was answered; signals get no answer."""
    for end in evidence.of(entry.workflow):
        if end.kind is Kind.UPDATE_ANSWERED and end.of == entry.event:
            answered = end.says(Answered)
            return in_words(answered.applied, answered.because) if answered else end.because
    return ""


def _record(entry: Entry, evidence: Evidence) -> DecisionRecord | None:
    """What the outcome says of a vote: the record that is nearest in time."""
    known = evidence.outcome.decisions if evidence.outcome else ()
    vote = entry.says(Vote) or NO_VOTE
    mine = [d for d in known if d.decision == entry.name and (d.signed or d.by == vote.by)]
    return min(mine, key=lambda d: abs(d.at - entry.at), default=None)


def _ignored(entry: Entry, by: str, evidence: Evidence) -> str:
    """Why a command did not count, where its workflow says so."""
    if evidence.outcome is None:
        return ""
    services = (one.ignored for one in evidence.outcome.services)
    known = (*evidence.outcome.ignored, *(one for own in services for one in own))
    mine = [one for one in known if one.command.startswith(entry.name) and one.by == by]
    nearest = min(mine, key=lambda one: abs(one.at - entry.at), default=None)
    return f"ignored: {nearest.because}" if nearest else ""


class _Said(Value):
    """The fields that commands have in common, for commands of any kind."""

    step: str = ""
    mode: str = ""
    by: str = ""
    reason: str = ""


def _is_command(entry: Entry, evidence: Evidence) -> bool:
    asked = entry.kind in MESSAGES and entry.name in COMMANDS
    cut = entry.kind in {Kind.CANCEL_REQUESTED, Kind.TERMINATED}
    return (asked or cut) and entry.identity != evidence.id


def _command(entry: Entry, evidence: Evidence) -> CommandLine:
    said = entry.says(_Said) or _Said()
    details = " ".join(part for part in (said.step, said.mode) if part)
    name = entry.name or str(entry.kind)
    return CommandLine(
        at=entry.at,
        command=f"{name} ({details})" if details else name,
        by=said.by or entry.identity,
        reason=said.reason or entry.because,
        answer=_answer(entry, evidence) or _ignored(entry, said.by, evidence),
        source=entry.source,
    )
