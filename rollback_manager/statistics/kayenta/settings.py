"""Kayenta's settings of a metric: looked up by path in a nested document, with defaults.

For reading a canary configuration that a team already has. Here and nowhere else an unknown word
means the default, because there it does.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from rollback_manager.statistics.kayenta.rules import (
    Bounds,
    Direction,
    Measure,
    MetricRules,
    Missing,
)

Choice = TypeVar("Choice", bound=StrEnum)
DEFAULT_OUTLIER_FACTOR = 3.0


class Found(NamedTuple):
    """What stands at a path; its value may well be None, which is not the same as nothing there."""

    value: object


def look_up(document: object, path: Sequence[str]) -> Found | None:
    """What stands at the path of keys, from the outside in; None if nothing does.

    A key met by a list is looked up in each element; those without it are left out.
    """
    if not path:
        return Found(document)
    if isinstance(document, Mapping):
        return look_up(document[path[0]], path[1:]) if path[0] in document else None
    if isinstance(document, Sequence) and not isinstance(document, str | bytes):
        hits = [hit.value for element in document if (hit := look_up(element, path))]
        return Found(hits) if hits else None
    return None


def text_at(document: object, path: Sequence[str], default: str) -> str:
    """The text at a path, or the default."""
    hit = look_up(document, path)
    return str(hit.value) if hit else default


def number_at(document: object, path: Sequence[str], default: float) -> float:
    """The number at a path, or the default. Raises ValueError for what is no number."""
    return float(text_at(document, path, str(default)))


def flag_at(document: object, path: Sequence[str], default: bool) -> bool:
    """The yes or no at a path, or the default. Raises ValueError for anything else."""
    said = text_at(document, path, str(default)).lower()
    if said not in ("true", "false"):
        raise ValueError(f"neither true nor false: {said!r}")
    return said == "true"


def read_rules(settings: object) -> MetricRules:
    """The rules that a metric's `analysisConfigurations` spell out."""
    measure = Measure.CLES if _canary(settings, "effectSize", "measure") == "cles" else None
    measure = measure or Measure.MEAN_RATIO
    removes = _canary(settings, "outliers", "strategy") == "remove"
    factor_path = ("canary", "outliers", "outlierFactor")
    factor = number_at(settings, factor_path, DEFAULT_OUTLIER_FACTOR)
    return MetricRules(
        direction=_choice(_canary(settings, "direction"), Direction.EITHER),
        missing=_choice(_canary(settings, "nanStrategy"), Missing.REMOVE),
        outlier_factor=factor if removes else None,
        measure=measure,
        effect=_bounds(settings, "allowed", measure),
        critical_effect=_bounds(settings, "critical", measure),
        critical=flag_at(settings, ("canary", "critical"), False),
        data_required=flag_at(settings, ("canary", "mustHaveData"), False),
    )


def is_muted(settings: object) -> bool:
    """Whether the metric is shown without counting."""
    return flag_at(settings, ("canary", "muted"), False)


def _canary(settings: object, *path: str) -> str:
    return text_at(settings, ("canary", *path), "")


def _choice(said: str, default: Choice) -> Choice:
    return next((option for option in type(default) if option == said), default)


def _bounds(settings: object, kind: str, measure: Measure) -> Bounds:
    where, neutral = ("canary", "effectSize"), measure.no_effect
    return Bounds(
        low=number_at(settings, (*where, f"{kind}Decrease"), neutral),
        high=number_at(settings, (*where, f"{kind}Increase"), neutral),
    )
