"""Journeys of users, made at the new version itself and at the old one beside it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell
from rollback_manager.verification import Answer as Said
from rollback_manager.verification import Verdict

TEST = "journeys"
IN_A_ROW = 3
"""Rounds that must fail: one may meet an instance that just ends, two a short pause."""


class Asked(NamedTuple):
    """One journey in one round. new, old: at an instance of that version, past the proxy.

    front: through the front door, where the release has all the traffic. None where that was not
    asked or could not be.
    """

    new: Verdict | None
    old: Verdict | None = None
    front: Verdict | None = None


class Told(NamedTuple):
    """What one journey says of the release in one round."""

    answer: Answer
    because: str
    compared: bool = False


def told(asked: Asked) -> Told:
    """A failure is the release's only where the same journey is well without it.

    Beside an old version: where that one passes. Alone: where users meet the failure too. Past the
    proxy something may be missing that the proxy does; then the old version fails as well, or the
    front door passes, and nothing is said.
    """
    new, old, front = asked
    if new is None and front is not None:  # it has all the traffic: the front door is its own
        return Told(_ANSWERS[front.answer], front.because)
    if new is None:
        because = "its instances cannot be asked past the proxy, and the front door has others too"
        return Told(Answer.CANNOT_TELL, because)
    if new.answer is not Said.FAILED:
        return Told(_ANSWERS[new.answer], new.because)
    witness = old or front
    if witness is None:
        return Told(Answer.CANNOT_TELL, f"{new.because}; nothing was there to compare it with")
    if old is not None and old.answer is Said.PASSED:
        return Told(Answer.REGRESSED, f"{new.because}; the old version passes", compared=True)
    if old is None and witness.answer is Said.FAILED:
        return Told(Answer.REGRESSED, f"{new.because}; users meet it too")
    where = "at the old version" if old is not None else "at the front door"
    return Told(Answer.CANNOT_TELL, f"{new.because}; {where} it is {witness.answer}: hold")


_ANSWERS = {
    Said.PASSED: Answer.FINE_SO_FAR,
    Said.FAILED: Answer.REGRESSED,
    Said.ERROR: Answer.CANNOT_TELL,
    Said.INCONCLUSIVE: Answer.CANNOT_TELL,
}


def judge_journeys(rounds: Sequence[Mapping[str, Told]], every_s: float) -> Finding:
    """Regressed where one journey failed in the last three rounds; fine where all passed last."""
    if not rounds:
        return cannot_tell(TEST, "the old version", "not asked yet")
    last = rounds[-1]
    failing = [name for name in last if _fails(rounds[-IN_A_ROW:], name)]
    unsure = [name for name, one in last.items() if one.answer is not Answer.FINE_SO_FAR]
    named = failing or unsure
    words = "; ".join(f"{name}: {last[name].because}" for name in named)
    answer = Answer.CANNOT_TELL if unsure else Answer.FINE_SO_FAR
    return Finding(
        test=TEST,
        answer=Answer.REGRESSED if failing else answer,
        evidence_nats=float(len(failing)),
        threshold_nats=1.0,
        requests=0,
        comparator="the same journeys without the release",
        because=words or f"{len(last)} journeys pass",
        lasted_s=(IN_A_ROW - 1) * every_s if failing else None,
        compared=any(last[name].compared for name in failing),
    )


def _fails(rounds: Sequence[Mapping[str, Told]], name: str) -> bool:
    said = [one[name].answer for one in rounds if name in one]
    return len(said) == IN_A_ROW and all(one is Answer.REGRESSED for one in said)
