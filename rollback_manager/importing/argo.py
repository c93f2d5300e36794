"""Analysis templates of Argo Rollouts → judges and business numbers of the catalogue.

Fields by argo-rollouts docs/features/analysis.md and its API types. AnalysisTemplate,
ClusterAnalysisTemplate and AnalysisRun are read, many of them in one file, or in a List.
"""

import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from rollback_manager.importing.argo_conditions import error_limit
from rollback_manager.importing.argo_metric import read_metric
from rollback_manager.importing.argo_place import Place
from rollback_manager.importing.counters import counters_of
from rollback_manager.importing.fragment import fragment
from rollback_manager.importing.report import (
    MEND,
    Imported,
    ImportRefused,
    Notes,
    apart,
    nothing_left,
    refused,
    short,
)
from rollback_manager.importing.shapes import Read
from rollback_manager.metrics.sources import BusinessSource
from rollback_manager.policy import TriggerLimits
from rollback_manager.watch.argo_judge import ArgoJudge, ArgoMetric
from rollback_manager.written import no_yaml

KIND = "analysis of Argo Rollouts"
KINDS = ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun")
SPEC = frozenset({"args", "metrics", "dryRun", "measurementRetention", "templates", "terminate"})
EXPORT = "Export one: kubectl get analysistemplate NAME -o yaml"
RENDER = "Render the chart first: helm template CHART > FILE"
KAYENTA = "That looks like Kayenta: rollback-manager catalogue import kayenta FILE"


class _Template(NamedTuple):
    name: str
    spec: Mapping[str, Any]
    line: int


class _Gathered(NamedTuple):
    judges: list[ArgoJudge]
    business: list[BusinessSource]
    reads: list[tuple[Read, str]]


def import_argo(text: str, name: str) -> Imported:
    """The fragment and what became of each line. Raises ImportRefused, and Blocked if nothing fits.

    name: of the file, for messages.
    """
    notes, gathered = Notes(), _Gathered([], [], [])
    for template in _templates(_documents(text, name), notes, name):
        _read_template(template, gathered, notes, name)
    judges, business, reads = gathered
    if not judges and not business:
        raise nothing_left(name, notes.lines)
    names = [*(one.name for one in judges), *(one.name for one in business)]
    title = f"{KIND}: {', '.join(dict.fromkeys(names))}"
    drafted = counters_of(reads)
    made = fragment(title, judges, business, drafted, notes, _suggested(judges))
    return Imported(
        kind=KIND,
        fragment=made,
        judges=len(judges),
        business=len(business),
        lines=tuple(notes.lines),
    )


def _suggested(judges: list[ArgoJudge]) -> dict[str, float]:
    limits = [error_limit(metric) for judge in judges for metric in judge.metrics]
    known = [one for one in limits if one is not None]
    usual = TriggerLimits().error_ratio
    return {"error_ratio": min(known)} if known and min(known) < usual else {}


def _read_template(template: _Template, gathered: _Gathered, notes: Notes, name: str) -> None:
    spec, metrics = template.spec, template.spec.get("metrics")
    _note_rest(template, notes)
    if not isinstance(metrics, list) or not metrics:
        if spec.get("templates"):
            return
        what = f"line {template.line}: {template.name} has no metrics"
        raise refused(name, what, MEND)
    values, taken = _arguments(template, notes), list[ArgoMetric]()
    for place, metric in enumerate(metrics):
        if not isinstance(metric, Mapping):
            raise refused(name, f"{template.name}: metrics[{place}] is no mapping", MEND)
        line = metrics.lc.item(place)[0] + 1 if hasattr(metrics, "lc") else template.line
        where = f"line {line}: {template.name}/{short(metric.get('name'), f'metric {place}')}"
        at = Place(where, notes, name, values)
        if _is_dry(spec, metric, name):
            at.ignored("a dry run: measured there and decides nothing")
            continue
        found = read_metric(metric, at, [*taken, *gathered.business])
        if isinstance(found, BusinessSource):
            gathered.business.append(found)
        elif found is not None:
            taken.append(found.metric)
            gathered.reads.append((found.read, found.url))
    if taken:
        gathered.judges.append(_judge(template, taken, gathered.judges))


def _judge(template: _Template, taken: list[ArgoMetric], others: list[ArgoJudge]) -> ArgoJudge:
    named = apart(template.name, (one.name for one in others))
    return ArgoJudge(kind="argo", name=named, metrics=tuple(taken))


def _is_dry(spec: Mapping[str, Any], metric: Mapping[str, Any], name: str) -> bool:
    said = spec.get("dryRun")
    rows = said if isinstance(said, list) else ()
    patterns = [str(row.get("metricName", "")) for row in rows if isinstance(row, Mapping)]
    try:
        return any(re.search(one, str(metric.get("name", ""))) for one in patterns)
    except re.error as error:
        raise refused(name, f"dryRun.metricName is no pattern: {error}", MEND) from error


def _arguments(template: _Template, notes: Notes) -> dict[str, str]:
    """Those with a value of their own; the others are filled in by a Rollout, which is not here."""
    values: dict[str, str] = {}
    rows = template.spec.get("args") or ()
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, Mapping) or "name" not in row:
            continue
        if isinstance(row.get("value"), str | int | float):
            values[str(row["name"])] = str(row["value"])
            notes.taken(f"{template.name}/args", f"{row['name']}: filled in with its own value")
    return values


def _note_rest(template: _Template, notes: Notes) -> None:
    for key in template.spec:
        if key not in SPEC:
            notes.ignored(f"{template.name}/{key}", "not known here")
    if template.spec.get("templates"):
        notes.ignored(f"{template.name}/templates", "import each of those templates by itself")
    if template.spec.get("measurementRetention"):
        notes.ignored(f"{template.name}/measurementRetention", "nothing is kept but the judged")


def _templates(documents: list[Any], notes: Notes, name: str) -> Iterator[_Template]:
    others, found = [], 0
    for document in _unrolled(documents):
        kind = str(document.get("kind") or "nothing") if isinstance(document, Mapping) else "text"
        line = document.lc.line + 1 if hasattr(document, "lc") else 1
        if kind not in KINDS:
            others.append(kind)
            notes.ignored(f"line {line}: {kind}", "only analyses are imported")
            continue
        found += 1
        yield _Template(_name(document), _spec(document, line, name), line)
    if not found:
        raise _wrong_kind(documents, others, name)


def _name(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    words = metadata if isinstance(metadata, Mapping) else {}
    return short(words.get("name") or words.get("generateName"), "analysis")


def _spec(document: Mapping[str, Any], line: int, name: str) -> Mapping[str, Any]:
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        raise refused(name, f"line {line}: {document.get('kind')} has no spec", MEND)
    return spec


def _wrong_kind(documents: list[Any], others: list[str], name: str) -> ImportRefused:
    if not others:
        return refused(name, "the file is empty", EXPORT)
    first = documents[0]
    if isinstance(first, Mapping) and "metrics" in first and "kind" not in first:
        return refused(name, "no Kubernetes resource", KAYENTA)
    seen = ", ".join(dict.fromkeys(others))
    return refused(name, f"no {' or '.join(KINDS[:2])} in it, only {seen}", EXPORT)


def _unrolled(documents: list[Any]) -> Iterator[Any]:
    """Without empty documents, and with the items of a List one by one."""
    for document in documents:
        if document is None:
            continue
        items = document.get("items") if isinstance(document, Mapping) else None
        if isinstance(items, list) and str(document.get("kind", "")).endswith("List"):
            yield from items
        else:
            yield document


def _documents(text: str, name: str) -> list[Any]:
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    hint = RENDER if "{{" in text and ".Values" in text else MEND
    try:
        return list(yaml.load_all(StringIO(text)))
    except MarkedYAMLError as mistake:
        line, said = no_yaml(mistake, text)
        raise refused(name, f"line {line}: no YAML: {said}", hint) from None
    except (YAMLError, ValueError, KeyError, RecursionError) as mistake:
        raise refused(name, f"it cannot be read as YAML: {mistake}", hint) from mistake
