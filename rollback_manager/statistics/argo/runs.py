"""A run of several metrics: when it ends and what it comes to, as Argo Rollouts has it."""

from collections.abc import Sequence

from rollback_manager.statistics.argo.measurements import Metric, assess
from rollback_manager.statistics.argo.phases import Phase, worst
from rollback_manager.values import Count, Value


class Tally(Value):
    """How many metrics there are, and how those that have their verdict came out."""

    metrics: Count
    by_phase: dict[Phase, int]


class Assessment(Value):
    """A run's phase, the phase of each metric, and the tallies with the dry runs apart."""

    phase: Phase
    metrics: dict[str, Phase]
    tally: Tally
    dry_run_tally: Tally


def is_terminating(metrics: Sequence[Metric], told_to_stop: bool) -> bool:
    """Whether the run ends: somebody says so, or a metric that counts came out badly."""
    return told_to_stop or any(
        metric.phase is not None and metric.phase.stops_the_run
        for metric in metrics
        if not metric.dry_run
    )


def assess_run(metrics: Sequence[Metric], told_to_stop: bool = False) -> Assessment:
    """The phase of a run: running while a metric is, then the worst of those that count.

    A run that ends takes the worst phase there is by then; with dry runs alone, or before anything
    was measured, it is successful.
    """
    terminating = is_terminating(metrics, told_to_stop)
    phases = {metric.name: assess(metric, terminating) for metric in metrics}
    done = [metric for metric in metrics if phases[metric.name].completed]
    decided = worst(phases[metric.name] for metric in done if not metric.dry_run)
    if decided is None and (done or terminating):
        decided = Phase.SUCCESSFUL
    if not terminating and len(done) < len(metrics):
        decided = None
    return Assessment(
        phase=decided or Phase.RUNNING,
        metrics=phases,
        tally=_tally([each for each in metrics if not each.dry_run], phases),
        dry_run_tally=_tally([each for each in metrics if each.dry_run], phases),
    )


def _tally(metrics: Sequence[Metric], phases: dict[str, Phase]) -> Tally:
    came_out = [phases[metric.name] for metric in metrics if phases[metric.name].completed]
    by_phase = {phase: came_out.count(phase) for phase in Phase if phase in came_out}
    return Tally(metrics=len(metrics), by_phase=by_phase)
