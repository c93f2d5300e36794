"""What the test of one counter answers for one release, with the numbers that it rests on."""

import math

import numpy as np

from rollback_manager.statistics.evidence import Answer, Finding
from rollback_manager.statistics.excess import Excess
from rollback_manager.verification import wilson

COMPARATOR = "the old version at the same time"


def excess_finding(test: Excess, release: int = 0) -> Finding:
    """The answer for one release."""
    answer, because = _answer(test, release)
    nats, threshold_nats = _evidence(test, release)
    hits, tries, usual, lasted_s = _effect_from(test, release)
    low, high = wilson(round(hits), round(tries))
    share, size = hits / tries if tries else 0.0, float(test.fine_up_to[release])
    return Finding(
        test=test.knobs.test,
        answer=answer,
        evidence_nats=nats,
        threshold_nats=threshold_nats,
        requests=round(float(test.tries[release])),
        comparator=COMPARATOR,
        because=f"{because}; {test.knobs.words} {share:.2%}, control {usual:.2%}",
        effect=share - usual if tries else None,
        effect_low=low - usual if tries else None,
        effect_high=high - usual if tries else None,
        usual=usual if tries else None,
        lasted_s=lasted_s,
        fine_up_to=None if math.isnan(size) else size,
        suspected=float(test.rising[release]),
    )


def _evidence(test: Excess, release: int) -> tuple[float, float]:
    """Of the part that is nearer to its threshold, and that threshold."""
    early, late = float(test.early_nats[release]), float(test.late_nats[release])
    knobs = test.knobs
    if late / knobs.late_nats > early / knobs.early_nats:
        return late, knobs.late_nats
    return early, knobs.early_nats


def _answer(test: Excess, release: int) -> tuple[Answer, str]:
    if test.common[release]:
        return Answer.CANNOT_TELL, "the old version got worse too: not the release, hold"
    if test.regressed[release]:
        return Answer.REGRESSED, "worse than the old version beside it by more than is allowed"
    if test.suspected[:, release].any():
        return Answer.CANNOT_TELL, "something is suspected that may pass"
    fine_up_to = float(test.fine_up_to[release])
    if math.isnan(fine_up_to):
        return Answer.CANNOT_TELL, f"too few requests: {test.tries[release]:.0f}"
    return Answer.FINE_SO_FAR, f"a regression of {fine_up_to:.0%} would have been seen"


def _effect_from(test: Excess, release: int) -> tuple[float, float, float, float]:
    """Hits, tries, the control's rate, seconds: since the suspicion arose, else the start.

    A suspicion that does not condemn yet tells the size just as well: since the start a late
    regression is mixed with the good time before it.
    """
    suspicion, suspected = test.suspicion, test.suspected[:, release]
    row = int(np.argmax(suspected))
    if suspicion.age_s[row, release] > 0:
        hits, expected, tries, age_s = (
            float(one[row, release])
            for one in (suspicion.hits, suspicion.expected, suspicion.tries, suspicion.age_s)
        )
        return hits, tries, expected / max(tries, 1.0), age_s
    return (
        float(test.hits[release]),
        float(test.tries[release]),
        float(test.control.usual[release]),
        max(0.0, float(test.at_s[release])),
    )
