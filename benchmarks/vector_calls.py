"""A row of tests/data as one call of `rollback_manager.statistics`: how each option is spelled.

An option that is not known here is an error, for a row that ignores an option agrees by luck.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rollback_manager.statistics.argo.conditions import evaluate
from rollback_manager.statistics.argo.measurements import (
    Counts,
    Delay,
    Limits,
    Measurement,
    Metric,
    Unreadable,
    assess,
)
from rollback_manager.statistics.argo.runs import assess_run, is_terminating
from rollback_manager.statistics.argo.schedule import schedule
from rollback_manager.statistics.kayenta import judge, samples, scores, settings, transforms
from rollback_manager.statistics.kayenta.rules import Bounds, Classification, MetricRules

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LONE = "figure"
"""What a figure is called whose row expects `{value, abs_tol}` with no name before it."""
Fields = dict[str, Any]  # a row, as JSON has it


def _only(options: Fields, *known: str) -> Fields:
    if unknown := options.keys() - set(known):
        raise ValueError(f"options not understood: {', '.join(sorted(unknown))}")
    return options


def _classifier(row: Fields) -> Fields:
    options = _only(
        row["options"],
        "test",
        "confidence",
        "tolerance",
        "direction",
        "critical_metric",
        "effect_size",
        "critical_effect_size",
        "missing_values",
        "must_have_data",
    )
    effect, critical = (
        _only(options.get(key) or {}, "measure", "low_at_or_below", "high_at_or_above")
        for key in ("effect_size", "critical_effect_size")
    )
    settings = {
        "confidence": options.get("confidence"),
        "tolerance": options.get("tolerance"),
        "direction": options.get("direction"),
        "missing": options.get("missing_values"),
        "measure": effect.get("measure") or critical.get("measure"),
        "critical": options.get("critical_metric"),
        "data_required": options.get("must_have_data"),
    }
    rules = MetricRules(
        effect=_bounds(effect),
        critical_effect=_bounds(critical),
        **{key: value for key, value in settings.items() if value is not None},
    )
    tests: dict[str, Callable[..., Classification]] = {
        "mann-whitney": judge.classify,
        "mean-inequality": judge.compare_means,
    }
    arms = (judge.prepare(row["inputs"][arm], rules) for arm in ("baseline", "candidate"))
    classified = tests[options["test"]](*arms, rules)
    return {"label": classified.label, "critical": classified.critical}


def _bounds(effect: Fields) -> Bounds:
    """The source's classifier has 1.0 for both bounds by default, whatever the measure."""
    return Bounds(low=effect.get("low_at_or_below", 1.0), high=effect.get("high_at_or_above", 1.0))


def _scorer(row: Fields) -> Fields:
    options = _only(row["options"], "group_weights")
    fields = scores.Judged.model_fields
    metrics = [scores.Judged(**_only(each, *fields)) for each in row["inputs"]["metrics"]]
    score = scores.score(metrics, options.get("group_weights") or {})
    return {"summary_score": score.summary, "group_scores": score.groups}


def _detector(options: Fields) -> transforms.Detector:
    match options["detector"]:
        case "iqr":
            return lambda values: transforms.outside_iqr(values, options["factor"])
        case "k-sigma":
            return lambda values: transforms.outside_k_sigma(values, options["k"])
        case unknown:
            raise ValueError(f"no detector is called {unknown}")


def _detectors(row: Fields) -> Fields:
    options = _only(row["options"], "detector", "factor", "k")
    return {"outlier": _detector(options)(row["inputs"]["values"])}


def _transforms(row: Fields) -> Fields:
    options, inputs = row["options"], row["inputs"]
    match options["transform"]:
        case "remove-missing":
            values = transforms.without_missing(inputs["values"])
        case "replace-missing":
            values = transforms.missing_as(inputs["values"], options["with"])
        case "remove-outliers":
            values = transforms.without_outliers(inputs["values"], _detector(options))
        case "add-normal-noise":
            draws = transforms.gaussians(options.get("seed", 0))
            values = transforms.with_noise(inputs["values"], draws, options["mean"], options["std"])
        case "normal-sample":
            seed = options.get("seed", 0)
            values = transforms.normal_sample(
                options["count"], options["mean"], options["std"], seed
            )
        case other:
            return _look_up(other, options, inputs)
    figures = samples.summary(values).model_dump()
    return {**figures, "variance": samples.sample_variance(values), "values": values}


def _look_up(how: str, options: Fields, inputs: Fields) -> Fields:
    document, path = inputs["document"], inputs["path"]
    hit = settings.look_up(document, path)
    conversions: dict[str, Callable[..., object]] = {
        "look-up-as-float": settings.number_at,
        "look-up-as-boolean": settings.flag_at,
        "look-up-as-string": settings.text_at,
    }
    if how == "look-up":
        return {"found": hit is not None, "value": hit.value if hit else None}
    return {"found": hit is not None, "value": conversions[how](document, path, options["default"])}


def _statistics(row: Fields) -> Fields:
    options, inputs = _only(row["options"], "statistic", "percent"), row["inputs"]
    of_one: dict[str, Callable[[Sequence[float]], float]] = {
        "mean": samples.mean,
        "variance": samples.sample_variance,
        "percentile": lambda values: samples.percentile(values, options["percent"]),
    }
    of_two: dict[str, Callable[..., float | None]] = {
        "mean-ratio": samples.mean_ratio,
        "cles": samples.cles,
        "cohens-d": samples.cohens_d,
    }
    name = options["statistic"]
    if name == "summary":
        return samples.summary(inputs["values"]).model_dump()
    if name in of_two:
        return {LONE: of_two[name](inputs["baseline"], inputs["candidate"])}
    return {LONE: of_one[name](inputs["values"])}


def _argo(row: Fields) -> Fields:
    _only(row.get("run", {}), "phase", "started_s", "terminating")
    match row["kind"]:
        case "evaluate":
            conditions = row["success_condition"], row["failure_condition"]
            return {"phase": evaluate(row["value"], *conditions)}
        case "assess":
            return {"phase": _assessed(row)}
        case "schedule":
            run, metrics = row["run"], _metrics(row)
            tasks = schedule(metrics, NOW, _moment(run["started_s"]), run["terminating"])
            return {"take_new": tasks.take_new, "resume": tasks.resume}
        case unknown:
            raise ValueError(f"no kind of row is called {unknown}")


def _assessed(row: Fields) -> str:
    metrics, stop = _metrics(row), row["run"]["terminating"]
    if len(metrics) == 1:
        return assess(metrics[0], is_terminating(metrics, stop))
    return assess_run(metrics, stop).phase


def _metrics(row: Fields) -> list[Metric]:
    return [_metric(metric) for metric in row["metrics"]]


def _metric(metric: Fields) -> Metric:
    result = _only(metric, "name", "limits", "result", "sequence", "dry_run")["result"]
    known = Counts.model_fields
    return Metric(
        name=metric["name"],
        limits=_limits(metric["limits"]),
        phase=result["phase"],
        counts=Counts(**_only(result["counts"], *known)),
        measurements=tuple(_measurement(each) for each in result["measurements"]),
        dry_run=metric.get("dry_run", False),
    )


def _limits(limits: Fields) -> Limits:
    names = {"failure": "failures", "inconclusive": "inconclusive", "count": "count"}
    rows = ("errors_in_a_row", "successes_in_a_row")
    _only(limits, *names, *rows, "interval_s", "initial_delay_s")
    counts = {
        ours: limits.get(theirs) for theirs, ours in {**names, **{r: r for r in rows}}.items()
    }
    return Limits(
        interval=_delay(limits["interval_s"]),
        initial_delay=_delay(limits["initial_delay_s"]),
        **{name: value for name, value in counts.items() if value is not None},
    )


def _delay(seconds: float | str | None) -> Delay:
    return Unreadable(text=seconds) if isinstance(seconds, str) else seconds


def _measurement(each: Fields) -> Measurement:
    return Measurement(
        phase=each["phase"],
        started_at=_moment(each.get("started_s")),
        finished_at=_moment(each.get("finished_s")),
        resume_at=_moment(each.get("resume_s")),
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else NOW + timedelta(seconds=seconds)


READERS: dict[str, Callable[[Fields], Fields]] = {
    "classifier": _classifier,
    "scorer": _scorer,
    "transforms": _transforms,
    "detectors": _detectors,
    "statistics": _statistics,
    "analysis": _argo,
}
"""File → how its rows are read."""
