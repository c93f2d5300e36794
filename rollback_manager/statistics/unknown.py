"""Nothing is known of a release that has users: after a while that is a person's business.

No test condemns it, and none may: a silent version is not shown to be bad. But it is not shown to
be well either, and somebody should look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from rollback_manager.statistics.evidence import Answer, Finding, cannot_tell

TEST = "unknown"
SILENCE = "silence"
MOST_UNSEEN = timedelta(seconds=30)
"""After a longer pause between two looks nobody can say that it stood all the time."""
MOST_REASONS = 3


@dataclass(frozen=True)
class Unknown:
    """Since when nothing is known, and why; since: None while something is."""

    since: datetime | None = None
    because: str = ""
    at: datetime | None = None

    def with_more(self, findings: Sequence[Finding], at: datetime) -> Self:
        """After another look, with what all tests say."""
        paused = self.at is not None and at - self.at > MOST_UNSEEN
        because = why_unknown(findings)
        since = (at if paused else self.since or at) if because else None
        return type(self)(since, because, at)

    def finding(self, limit_s: float) -> Finding:
        """Cannot tell: asks a person from `limit_s` on, when the evidence reaches its threshold.

        The evidence is how long it has been so, in seconds.
        """
        if self.since is None or self.at is None:
            return KNOWN
        lasted_s = (self.at - self.since).total_seconds()
        because = f"nothing is known of it for {lasted_s:.0f} s: {self.because}"
        found = cannot_tell(TEST, "what should be known", because, limit_s)
        return found.model_copy(update={"evidence_nats": lasted_s})


KNOWN = cannot_tell(TEST, "what should be known", "at least one test can tell").model_copy(
    update={"answer": Answer.FINE_SO_FAR}
)


def why_unknown(findings: Sequence[Finding]) -> str:
    """Why nothing is known of the release: it is silent, or no test can tell. Else empty.

    One that is shown to be worse is known to be, whatever else cannot be told.
    """
    if any(one.answer is Answer.REGRESSED for one in findings):
        return ""
    silent = next((one for one in findings if _is_silent(one)), None)
    if silent is not None:
        return f"it answers nothing, {silent.because}"
    if any(one.answer is not Answer.CANNOT_TELL for one in findings):
        return ""
    reasons = list(dict.fromkeys(f"{one.test}: {one.because}" for one in findings))
    return "; ".join(reasons[:MOST_REASONS]) or "no test was made"


def asks(finding: Finding) -> bool:
    """Whether a person should know that nothing is known."""
    lasts = finding.evidence_nats >= finding.threshold_nats
    return finding.test == TEST and finding.answer is Answer.CANNOT_TELL and lasts


def _is_silent(finding: Finding) -> bool:
    silent = finding.evidence_nats >= finding.threshold_nats > 0
    return finding.test == SILENCE and finding.answer is Answer.CANNOT_TELL and silent
