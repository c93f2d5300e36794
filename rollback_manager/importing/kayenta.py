"""A canary configuration of Kayenta → a judge of the catalogue.

Fields by spinnaker/kayenta docs/canary-config.md and its Prometheus query config. A plain export,
one inside `canaryConfig` beside an `executionRequest`, and one inside `canary` are read.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from rollback_manager.importing import kayenta_metric
from rollback_manager.importing.counters import counters_of
from rollback_manager.importing.fragment import fragment
from rollback_manager.importing.kayenta_classifier import thresholds, weights
from rollback_manager.importing.kayenta_metric import Taken
from rollback_manager.importing.report import (
    MEND,
    Imported,
    ImportRefused,
    Notes,
    nothing_left,
    refused,
    short,
)
from rollback_manager.statistics.kayenta.rules import Measure
from rollback_manager.statistics.kayenta.settings import look_up
from rollback_manager.watch.kayenta_judge import KayentaJudge
from rollback_manager.watch.signals import MOST_MINUTES, Signal

KIND = "canary configuration of Kayenta"
JUDGES = ("NetflixACAJudge-v1.0", "dredd-v1.0")
"""The judge under both of its names."""
EXPORT = "Export one: spin canary canary-config get --id ID, and import that file"
FIELDS = frozenset(
    {
        "id",
        "name",
        "description",
        "configVersion",
        "applications",
        "judge",
        "metrics",
        "templates",
        "classifier",
        "isNew",
        "owner",
        "createdTimestamp",
        "createdTimestampIso",
        "updatedTimestamp",
        "updatedTimestampIso",
    }
)


class _Found(NamedTuple):
    config: Mapping[str, Any]
    request: Mapping[str, Any]


def import_kayenta(text: str, name: str) -> Imported:
    """The fragment and what became of each line. Raises ImportRefused, and Blocked if nothing fits.

    name: of the file, for messages.
    """
    found, notes = _found(_parsed(text, name), name), Notes()
    try:
        return _imported(found, notes, name)
    except ValidationError as error:  # of the judge as a whole
        raise refused(name, f"it makes no judge: {error.errors()[0]['msg']}", MEND) from error


def _imported(found: _Found, notes: Notes, name: str) -> Imported:
    config = found.config
    title = short(config.get("name"), "unnamed")
    _note_rest(config, notes)
    taken = [one for one in _metrics(config, notes, name) if one is not None]
    if not taken:
        raise nothing_left(name, notes.lines)
    found_limits = thresholds(config, found.request, notes, name)
    judge = KayentaJudge.model_validate(
        {
            "kind": "kayenta",
            "name": title,
            "metrics": tuple(one.metric for one in taken),
            "weights": weights(config, [one.metric for one in taken], notes, name),
            "pass_at": found_limits.pass_at,
            "marginal_at": found_limits.marginal_at,
            **_times(found.request, notes, name),
        }
    )
    drafted = counters_of((one.read, "") for one in taken)
    text = fragment(f"{KIND}: {title}", [judge], (), drafted, notes, _suggested(judge))
    return Imported(kind=KIND, fragment=text, judges=1, business=0, lines=tuple(notes.lines))


def _suggested(judge: KayentaJudge) -> dict[str, float]:
    factors = [
        one.critical_effect
        for one in judge.metrics
        if one.signal is Signal.LATENCY_P95_MS
        and one.critical
        and one.measure is Measure.MEAN_RATIO
    ]
    known = [one for one in factors if one is not None and one > 1]
    return {"latency_factor": min(known)} if known else {}


def _metrics(config: Mapping[str, Any], notes: Notes, name: str) -> Iterator[Taken | None]:
    metrics = config["metrics"]
    if not isinstance(metrics, list) or not metrics:
        raise refused(name, "metrics is no list with something in it", EXPORT)
    names: set[str] = set()
    for place, metric in enumerate(metrics):
        if not isinstance(metric, Mapping):
            raise refused(name, f"metrics[{place}] is no object", MEND)
        taken = kayenta_metric.read_metric(metric, place, config, notes, name, names)
        if taken is not None:
            names.add(taken.metric.name)
        yield taken


def _note_rest(config: Mapping[str, Any], notes: Notes) -> None:
    judge = look_up(config, ("judge", "name"))
    if judge is not None and judge.value not in JUDGES:
        notes.approximated("judge", f"{judge.value}: judged here as {JUDGES[0]} does")
    elif judge is not None:
        notes.taken("judge", f"{judge.value}; a test of fixed size: see role")
    for key in config:
        if key not in FIELDS:
            notes.ignored(key, "no field of a canary configuration that is known here")


def _times(request: Mapping[str, Any], notes: Notes, name: str) -> dict[str, int]:
    """How long it looks back, from the request beside the configuration where there is one."""
    found: dict[str, int] = {}
    rows = (("lifetimeDurationMins", "minutes", 10), ("beginAfterMins", "after_minutes", 0))
    for word, field, least in rows:
        said = request.get(word)
        if said is None:
            continue
        if isinstance(said, bool) or not isinstance(said, int) or said < 0:
            raise refused(name, f"executionRequest.{word}: {said!r} is no number of minutes", MEND)
        found[field] = min(max(said, least), MOST_MINUTES)
        where = f"executionRequest.{word}"
        if found[field] == said:
            notes.taken(where, f"{field}: {said}")
        else:
            notes.approximated(where, f"{said} minutes; here {found[field]}")
    if "minutes" not in found:
        notes.approximated("lifetime", "in the pipeline there; here the newest 60 minutes")
    return found


def _parsed(text: str, name: str) -> Any:
    if not text.strip():
        raise refused(name, "the file is empty", EXPORT)
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        hint = ARGO if "AnalysisTemplate" in text else EXPORT
        what = f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}"
        raise refused(name, what, hint) from error
    except RecursionError as error:
        raise refused(name, "it is nested too deeply", EXPORT) from error
    except ValueError as error:
        raise refused(name, str(error), MEND) from error


ARGO = "That looks like Argo Rollouts: rollback-manager catalogue import argo-analysis FILE"


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number: in JSON there is none, and no threshold is one")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return made


def _found(document: Any, name: str) -> _Found:
    if isinstance(document, list):
        raise refused(name, f"a list of {len(document)}, not one configuration", EXPORT)
    if not isinstance(document, Mapping):
        raise refused(name, "not an object, as a canary configuration is", EXPORT)
    for wrapper in (None, "canaryConfig", "canary"):
        config = document if wrapper is None else document.get(wrapper)
        if isinstance(config, Mapping) and "metrics" in config:
            request = document.get("executionRequest")
            return _Found(config, request if isinstance(request, Mapping) else {})
    raise _no_configuration(document, name)


def _no_configuration(document: Mapping[str, Any], name: str) -> ImportRefused:
    if "apiVersion" in document:
        return refused(name, f"a Kubernetes resource ({document.get('kind')})", ARGO)
    if "stages" in document or look_up(document, ("canaryConfig", "canaryConfigId")):
        return refused(name, "a pipeline, which only names its canary configuration", EXPORT)
    return refused(name, "it has no metrics: not a canary configuration of Kayenta", EXPORT)
