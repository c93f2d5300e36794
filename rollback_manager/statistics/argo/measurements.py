"""From measurements of a metric to its verdict, by limits, as Argo Rollouts has it.

Restated from argoproj/argo-rollouts c9dd7ea (Apache-2.0) and held to test rows of 9f8d111; a row of
successes is younger and follows its documentation. Compatible, not recommended: its limits count
over a whole run, so that a long one fails of a few bad moments.
"""

from datetime import datetime

from rollback_manager.statistics.argo.phases import Phase
from rollback_manager.values import Count, Seconds, Value

KEPT = 10
"""Measurements kept of a metric, the newest; Argo Rollouts' default. The counts count them all."""


class Unreadable(Value):
    """A duration that somebody wrote and nobody can read: what waits for it never starts."""

    text: str


Delay = Seconds | Unreadable | None
"""A duration; None: not set."""


class Limits(Value):
    """How much a metric may go wrong, and how often it is measured.

    `failures` and `inconclusive` count over the whole run, `errors_in_a_row` since the last answer;
    each is tolerated, one more is not. `failures` -1: no number of them fails the metric.
    `successes_in_a_row`: as many end the metric well at once; 0: no such rule. `count`: how many
    answers to take, errors apart; None or 0: one, or without end where there is an interval.
    """

    failures: int = 0
    inconclusive: int = 0
    errors_in_a_row: int = 4
    successes_in_a_row: Count = 0
    count: int | None = None
    interval: Delay = None
    initial_delay: Delay = None

    @property
    def wanted(self) -> int | None:
        """Answers after which the metric is done; None: it runs until it is stopped."""
        if self.count:
            return self.count
        return 1 if self.interval is None else None


class Measurement(Value):
    """One question to a source of metrics; `finished_at` is None while it waits for the answer.

    `resume_at`: not before then is it worth asking again.
    """

    phase: Phase
    started_at: datetime | None = None
    finished_at: datetime | None = None
    resume_at: datetime | None = None


class Counts(Value):
    """How the measurements of a metric came out. `taken` leaves the errors out."""

    taken: Count = 0
    successful: Count = 0
    failed: Count = 0
    inconclusive: Count = 0
    errors: Count = 0
    errors_in_a_row: Count = 0
    successes_in_a_row: Count = 0


class Metric(Value):
    """A metric of a run: its limits and what came of it so far.

    `phase` is None until it was assessed once. `dry_run`: it is measured and shown, and decides
    nothing. `measurements`: those kept, the newest last.
    """

    name: str
    limits: Limits = Limits()
    phase: Phase | None = None
    counts: Counts = Counts()
    measurements: tuple[Measurement, ...] = ()
    dry_run: bool = False

    @property
    def last(self) -> Measurement | None:
        """The newest measurement."""
        return self.measurements[-1] if self.measurements else None

    @property
    def completed(self) -> bool:
        """Whether it has its verdict."""
        return self.phase is not None and self.phase.completed

    @property
    def has_enough(self) -> bool:
        """Whether it has all the answers that were wanted."""
        wanted = self.limits.wanted
        return wanted is not None and self.counts.taken >= wanted


def record(metric: Metric, measurement: Measurement) -> Metric:
    """The metric with one more measurement, or with its unfinished one gone on with."""
    earlier = metric.measurements
    if metric.last is not None and metric.last.finished_at is None:
        earlier = earlier[:-1]
    kept = (*earlier, measurement)[-KEPT:]
    counts = count(metric.counts, measurement.phase)
    return metric.model_copy(update={"measurements": kept, "counts": counts})


def count(counts: Counts, phase: Phase) -> Counts:
    """The counts after one more measurement; an unfinished one changes nothing."""
    one_more = {
        "taken": counts.taken + (phase is not Phase.ERROR),
        "successful": counts.successful + (phase is Phase.SUCCESSFUL),
        "failed": counts.failed + (phase is Phase.FAILED),
        "inconclusive": counts.inconclusive + (phase is Phase.INCONCLUSIVE),
        "errors": counts.errors + (phase is Phase.ERROR),
        "errors_in_a_row": counts.errors_in_a_row + 1 if phase is Phase.ERROR else 0,
        "successes_in_a_row": counts.successes_in_a_row + 1 if phase is Phase.SUCCESSFUL else 0,
    }
    return counts.model_copy(update=one_more) if phase.completed else counts


def assess(metric: Metric, terminating: bool) -> Phase:
    """The phase of one metric by its limits. A verdict once given stays."""
    if metric.phase is not None and metric.phase.completed:
        return metric.phase
    if metric.last is None:
        return Phase.SUCCESSFUL if terminating else Phase.PENDING
    if not metric.last.phase.completed:
        return Phase.RUNNING
    limits, counts = metric.limits, metric.counts
    if beyond := limit_passed(limits, counts):
        return beyond
    in_a_row = limits.successes_in_a_row
    if in_a_row and counts.successes_in_a_row >= in_a_row:
        return Phase.SUCCESSFUL
    if metric.has_enough or terminating:
        # A row of successes that was asked for and not seen is no success.
        return Phase.INCONCLUSIVE if in_a_row else Phase.SUCCESSFUL
    return Phase.RUNNING


def limit_passed(limits: Limits, counts: Counts) -> Phase | None:
    """The phase of the limit that was passed, None if none was.

    Of several the error names it, then the inconclusive one: Argo Rollouts looks at them in this
    order and not in that of `worst`.
    """
    if counts.errors_in_a_row > limits.errors_in_a_row:
        return Phase.ERROR
    if counts.inconclusive > limits.inconclusive:
        return Phase.INCONCLUSIVE
    return Phase.FAILED if 0 <= limits.failures < counts.failed else None
