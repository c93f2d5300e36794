"""Are users well? Readings and journeys against what was normal before the bad release."""

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum

from rollback_manager.metrics.reading import NoReading, Reading, Slow
from rollback_manager.policy import VerificationPolicy
from rollback_manager.release import Baseline
from rollback_manager.values import Ratio, Value

Z_99 = 2.326
"""One-sided 99 % of the normal distribution: the confidence of every claim below."""
SLOW_SHARE = 0.05
"""A P95 within its limit says: at most this share of requests is slower."""


WORTH_A_LOOK = 10
"""Failed answers that are judged before the sample is full: bad news need fewer requests."""


class Answer(StrEnum):
    """How a check came out, the worst last."""

    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    FAILED = "failed"


class Verdict(Value):
    """One check's answer with the numbers that it rests on."""

    check: str
    answer: Answer
    because: str


def worst(verdicts: Iterable[Verdict]) -> Answer:
    """The worst answer of all; no verdict at all is inconclusive."""
    order = list(Answer)
    return max((v.answer for v in verdicts), key=order.index, default=Answer.INCONCLUSIVE)


def error_limit(baseline: Baseline | None, policy: VerificationPolicy) -> Ratio:
    """Highest error ratio that counts as "back to baseline".

    The baseline plus half of itself, and at least the seed's 0.1 % above it: a baseline of 0 is a
    baseline, and a noisy one needs room.
    """
    normal = baseline.error_ratio if baseline else 0.0
    return min(1.0, normal + max(policy.error_ratio_margin, normal / 2))


def latency_limit_ms(baseline: Baseline | None, policy: VerificationPolicy) -> float | None:
    """Slowest P95 that counts as well: 200 % of the baseline by default (the seed's trigger)."""
    return baseline.latency_p95_ms * policy.latency_factor if baseline else None


def requests_needed(limit: Ratio) -> int:
    """Requests without one error that show "at most `limit`" at 99 %: z² (1 - limit) ÷ limit.

    It is the sample size at which Wilson's upper bound of 0 errors meets the limit.
    """
    return math.ceil(Z_99**2 * (1 - limit) / limit) if limit > 0 else 0


def worth_judging(
    reading: Reading | NoReading, own_errors: int, limit: Ratio, judged_at: int
) -> bool:
    """Whether it is time to judge: the sample is full, or failed answers came before that.

    judged_at: requests at the last judgement, 0 if there was none. Between two judgements the
    number of requests must double: each further look is a further chance to pass by luck.
    """
    if not isinstance(reading, Reading):
        return False
    if judged_at and reading.requests < 2 * judged_at:
        return False
    full = reading.requests >= requests_needed(limit)
    return full or reading.errors + own_errors >= WORTH_A_LOOK


def wilson(hits: int, tries: int) -> tuple[Ratio, Ratio]:
    """Lower and upper one-sided 99 % bounds of a proportion (Wilson, 1927)."""
    if tries == 0:
        return 0.0, 1.0
    p, z2 = hits / tries, Z_99**2
    centre = p + z2 / (2 * tries)
    spread = Z_99 * math.sqrt(p * (1 - p) / tries + z2 / (4 * tries**2))
    scale = 1 + z2 / tries
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return (low if hits else 0.0), (high if hits < tries else 1.0)  # exact where floats are not


def judge_errors(reading: Reading | NoReading, limit: Ratio, own_errors: int = 0) -> Verdict:
    """Whether the error ratio is at most `limit`, or why that cannot be said yet.

    own_errors: answers that failed at the front door and that no version gave. Users do not care
    who failed them: a version that refuses connections has no errors of its own.
    """
    if isinstance(reading, NoReading):
        return Verdict(check="error_ratio", answer=Answer.INCONCLUSIVE, because=reading.because)
    failed, asked = reading.errors + own_errors, reading.requests + own_errors
    low, high = wilson(failed, asked)
    facts = (
        f"{failed} of {asked} requests failed in {reading.window_s:.0f} s; "
        f"at 99 % between {low:.2%} and {high:.2%}, limit {limit:.2%}"
    )
    return _by_bounds("error_ratio", low, high, limit, asked, facts)


def judge_slice(reading: Reading | NoReading, others: Sequence[Reading], limit: Ratio) -> Verdict:
    """Whether a slice harms users: more failures than normal, and no fewer than elsewhere.

    others: readings of the versions that have the rest of the traffic, over the same window. A
    slice is too thin to prove health; only a sign of harm, at 99 %, fails it. Where everything
    fails alike the slice is not to blame.
    """
    if isinstance(reading, NoReading):
        return Verdict(check="slice", answer=Answer.INCONCLUSIVE, because=reading.because)
    low, high = wilson(reading.errors, reading.requests)
    elsewhere = max((one.error_ratio for one in others if one.requests), default=0.0)
    facts = (
        f"{reading.errors} of {reading.requests} requests of {reading.version} failed in"
        f" {reading.window_s:.0f} s (at 99 % {low:.2%} to {high:.2%}), limit {limit:.2%},"
        f" elsewhere {elsewhere:.2%}"
    )
    harm = low > limit and reading.error_ratio >= elsewhere
    return Verdict(check="slice", answer=Answer.FAILED if harm else Answer.PASSED, because=facts)


def judge_latency(
    slow: Slow | None, reading: Reading | NoReading, limit_ms: float | None
) -> Verdict:
    """Whether at most 5 % of requests are slower than `limit_ms`, i.e. P95 is within it."""
    if isinstance(reading, NoReading):
        return Verdict(check="latency_p95", answer=Answer.INCONCLUSIVE, because=reading.because)
    if limit_ms is None or slow is None:
        because = "no baseline says what is normal" if limit_ms is None else "no latencies counted"
        return Verdict(check="latency_p95", answer=Answer.INCONCLUSIVE, because=because)
    low, high = wilson(slow.slower, slow.timed)
    p95 = "unknown" if reading.latency_p95_ms is None else f"{reading.latency_p95_ms:.0f} ms"
    facts = f"P95 {p95}; {slow.slower} of {slow.timed} requests slower than {limit_ms:.0f} ms"
    return _by_bounds("latency_p95", low, high, SLOW_SHARE, slow.timed, facts)


def judge_throughput(reading: Reading | NoReading, before_per_s: float, floor: Ratio) -> Verdict:
    """Whether the version now serves at least `floor` of what all versions served before."""
    if isinstance(reading, NoReading):
        return Verdict(check="throughput", answer=Answer.INCONCLUSIVE, because=reading.because)
    answer = Answer.PASSED if reading.requests_per_s >= floor * before_per_s else Answer.FAILED
    facts = f"{reading.requests_per_s:.1f} requests/s, before the shift {before_per_s:.1f}"
    return Verdict(check="throughput", answer=answer, because=f"{facts}, floor {floor:.0%}")


def judge_readiness(ready: int, desired: int) -> Verdict:
    """Whether every wanted instance of the version is ready."""
    answer = Answer.PASSED if ready >= desired > 0 else Answer.FAILED
    return Verdict(check="instances", answer=answer, because=f"{ready} of {desired} ready")


def _by_bounds(
    check: str, low: Ratio, high: Ratio, limit: Ratio, requests: int, facts: str
) -> Verdict:
    if high <= limit:
        return Verdict(check=check, answer=Answer.PASSED, because=facts)
    if low > limit:
        return Verdict(check=check, answer=Answer.FAILED, because=facts)
    needed = requests_needed(limit)
    thin = f"; too few: this claim needs at least {needed}" if requests < needed else ""
    return Verdict(check=check, answer=Answer.INCONCLUSIVE, because=facts + thin)
