"""One release under watch: the tests side by side, and the one answer that they give together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from rollback_manager.statistics import errors, slow_requests
from rollback_manager.statistics.envelope import Envelope, WarmUp, learn
from rollback_manager.statistics.evidence import Answer, Finding, Flags, Interval, cannot_tell
from rollback_manager.statistics.excess import Excess, Knobs
from rollback_manager.statistics.excess_finding import excess_finding
from rollback_manager.statistics.silence import Silence


@dataclass(frozen=True)
class History:
    """What the records know of a service. usual_errors: its error ratio before the release."""

    usual_errors: float
    error_envelope: Envelope = errors.UNSEEN
    slow_envelope: Envelope = slow_requests.UNSEEN

    @classmethod
    def of(
        cls, usual_errors: float, own: tuple[WarmUp, WarmUp], fleet: tuple[WarmUp, WarmUp]
    ) -> Self:
        """From good releases of the past; of each pair the first is of errors, then of slowness."""
        return cls(
            usual_errors,
            learn(own[0], fleet[0], errors.KNOBS.spread),
            learn(own[1], fleet[1], slow_requests.KNOBS.spread),
        )


KNOBS = (errors.KNOBS, slow_requests.KNOBS)
"""As shipped: of the errors, of slowness."""


@dataclass(frozen=True)
class ReleaseWatch:
    """The state of all tests that run beside a control, for one release or many at once."""

    errors: Excess
    slow: Excess
    silence: Silence

    @classmethod
    def begin(
        cls,
        history: History,
        share: float,
        releases: int = 1,
        knobs: tuple[Knobs, Knobs] = KNOBS,
    ) -> Self:
        """Before the first interval. share: of the traffic that is sent to the new version."""
        usual = slow_requests.USUAL_SHARE
        return cls(
            Excess.fresh(knobs[0], history.error_envelope, history.usual_errors, releases),
            Excess.fresh(knobs[1], history.slow_envelope, usual, releases),
            Silence.fresh(share, releases),
        )

    def with_more(self, interval: Interval) -> Self:
        """With one more interval: the control first, then what the new version did beside it."""
        at_s, length_s = interval.at_s, interval.length_s
        failed, slow = errors.counts(interval), slow_requests.counts(interval)
        of_errors = self.errors.with_control(failed, length_s)
        of_slow = self.slow.with_control(slow, length_s)
        held = of_errors.common | of_slow.common
        error_face, slow_face = of_errors.face(failed, at_s), of_slow.face(slow, at_s)
        return type(self)(
            of_errors.with_new(
                failed, at_s, of_errors.seen(failed, at_s, length_s, slow_face, held)
            ),
            of_slow.with_new(slow, at_s, of_slow.seen(slow, at_s, length_s, error_face, held)),
            self.silence.with_more(interval),
        )

    def with_share(self, share: float) -> Self:
        """After the split was changed: from now on so much of the traffic is sent to it."""
        return replace(self, silence=replace(self.silence, share=self.silence.share * 0 + share))

    @cached_property
    def common_mode(self) -> Flags:
        """Where the control is in trouble too, by either counter."""
        return self.errors.common | self.slow.common

    @cached_property
    def regressed(self) -> Flags:
        """Where a test says so and the control is well."""
        return (self.errors.regressed | self.slow.regressed) & ~self.common_mode

    def findings(self, release: int = 0) -> tuple[Finding, ...]:
        """Every test's answer for one release."""
        of_errors, of_slow = (excess_finding(one, release) for one in (self.errors, self.slow))
        return of_errors, of_slow, self.silence.finding(release)

    def verdict(self, release: int = 0) -> Finding:
        """The one answer for one release."""
        return self.verdict_of(self.findings(release), release)

    def verdict_of(self, findings: Sequence[Finding], release: int = 0) -> Finding:
        """The same of findings that were made already."""
        if self.common_mode[release]:
            because = "the old version got worse too: not the release, hold"
            return cannot_tell("common_mode", "the old version before the release", because)
        return together(findings)


def together(findings: Sequence[Finding]) -> Finding:
    """The most evident regression; else what cannot be told; else the coarsest "fine so far".

    Nothing found is "cannot tell": no data is never a pass.
    """
    for answer in (Answer.REGRESSED, Answer.CANNOT_TELL):
        said = [one for one in findings if one.answer is answer]
        if said:
            return max(said, key=_evident)
    if not findings:
        return cannot_tell("none", "nothing", "no test had anything to judge")
    return max(findings, key=lambda one: one.fine_up_to or 0.0)


def _evident(finding: Finding) -> float:
    return finding.evidence_nats / finding.threshold_nats if finding.threshold_nats > 0 else 0.0
