"""The fragment as text: YAML to paste into a service's environment, as deep as it stands there."""

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from rollback_manager.importing.counters import Counters
from rollback_manager.importing.report import Fate, Line, Notes
from rollback_manager.metrics.sources import BusinessSource
from rollback_manager.rendering.layout import foreign
from rollback_manager.watch.argo_judge import ArgoJudge
from rollback_manager.watch.kayenta_judge import KayentaJudge

DEPTH = " " * 8
"""Where the fields of a service in an environment stand in demo/catalogue.example.yaml."""
WIDE = 10_000
"""A condition is not broken over lines."""
ASSUMED = "a scrape each 15 s is assumed"
VERSIONS = "The label of versions has the version as `releases record` names it."


def fragment(
    title: str,
    judges: Sequence[KayentaJudge | ArgoJudge],
    business: Sequence[BusinessSource],
    counters: Counters,
    notes: Notes,
    limits: dict[str, float],
) -> str:
    """The lines, every one as deep as it is pasted."""
    lines = [
        *(f"# {line}" for line in _heading(title, judges)),
        *_judges(judges),
        *_yaml({"business": [one.model_dump(**DUMP) for one in business]} if business else {}),
        *_metrics(counters, notes),
        *_left_out(notes.lines),
        *_limits(limits),
    ]
    return "\n".join(f"{DEPTH}{line}".rstrip() for line in lines)


DUMP: dict[str, Any] = {"mode": "json", "exclude_defaults": True}


def _heading(title: str, judges: Sequence[KayentaJudge | ArgoJudge]) -> Iterator[str]:
    yield f"{foreign(title)}."
    yield "Belongs under services.SERVICE.environments.ENV, beside workloads and traffic."
    if judges:
        yield "role: advises is shown beside our own tests; role: alarms opens incidents, too."


def _judges(judges: Sequence[KayentaJudge | ArgoJudge]) -> list[str]:
    if not judges:
        return []
    documents = []
    for one in judges:
        dumped = one.model_dump(**DUMP)
        head = {"kind": one.kind, "name": one.name, "role": one.role.value}
        documents.append({**head, **dumped})
    return _yaml({"judges": documents})


def _metrics(counters: Counters, notes: Notes) -> Iterator[str]:
    """Live where it is whole, else as a comment with what there is to fill in."""
    if counters.is_empty:
        return
    for one in dict.fromkeys(counters.differing):
        notes.ignored("metrics", one)
    lines = _yaml({"metrics": counters.document()})
    missing, wrong = counters.missing(), counters.mistakes()
    if not missing and not wrong:
        notes.taken("metrics", f"{counters.url}, versions by {counters.version_label}; {ASSUMED}")
        yield f"# {VERSIONS}"
        yield from lines
        return
    because = f"the file does not say {', '.join(missing)}" if missing else "; ".join(wrong)
    notes.ignored("metrics", f"a comment only: {because}; until it is filled in the proxy counts")
    yield "# Where a Prometheus counts it, as far as the queries say; left out, the proxy counts."
    yield from (f"# {line}" for line in lines)
    yield f"#   {VERSIONS}"


def _left_out(lines: Sequence[Line]) -> Iterator[str]:
    ignored = [line for line in lines if line.fate is Fate.IGNORED and line.where != "metrics"]
    if ignored:
        yield "# Not imported:"
        yield from (f"#   {foreign(f'{line.where}: {line.says}', WIDE)}" for line in ignored)


def _limits(limits: dict[str, float]) -> Iterator[str]:
    """What stands at the environment, and so holds for all of its services, is only shown."""
    if limits:
        yield "# From that size on a regression is acted on by itself as far as the trigger allows;"
        yield "# the default is higher. It would hold for every service, at environments.ENV:"
        yield from (f"#   {line}" for line in _yaml({"decisions": {"limits": limits}}))


def _yaml(document: dict[str, Any]) -> list[str]:
    if not document:
        return []
    yaml, out = YAML(), StringIO()
    yaml.width = WIDE
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(document, out)
    return out.getvalue().splitlines()
