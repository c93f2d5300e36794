"""Reports as GitHub-flavoured Markdown, for files and CI summaries."""

import re
from collections.abc import Iterable, Mapping

from rollback_manager.plan import short
from rollback_manager.progress import RollbackOutcome, exit_code
from rollback_manager.rendering import report_tables
from rollback_manager.rendering.layout import clean
from rollback_manager.rendering.report_parts import Table
from rollback_manager.rendering.report_sections import begun, sections
from rollback_manager.rendering.report_summary import closest, headline, impact, own, summary
from rollback_manager.rendering.words import UNKNOWN
from rollback_manager.report import Report


def report(r: Report) -> str:
    """The whole report, the outcome line first."""
    parts = [f"# {_safe(headline(r))}", *_lines(summary(r))]
    for section in sections(r):
        parts += [f"## {_safe(section.title)}", *_lines(section.lines)]
        for table in section.tables:
            parts += [f"**{_safe(table.caption)}**", _table(table)]
        if section.shell:
            parts.append(_fenced(section.shell))
    return "\n\n".join(parts) + "\n"


def ci_summary(r: Report) -> str:
    """The short form for a CI job: outcome, one row of numbers, the steps folded."""
    numbers = Table(
        "",
        ("impact", "failed by us", "lowest ready", "decision", "security"),
        (
            (
                impact(r),
                own(r),
                closest(r),
                r.decided_how or UNKNOWN,
                r.security or UNKNOWN,
            ),
        ),
    )
    code = f" (exit {exit_code(r.outcome)})" if r.outcome else ""
    steps = "\n\n".join(
        _table(table) for table in (*report_tables.waves(r), *map(report_tables.steps, begun(r)))
    )
    folded = f"<details><summary>steps, plan {_safe(_digest(r))}</summary>\n\n{steps}\n\n</details>"
    title = f"### {_safe(headline(r) + code)}"
    return "\n\n".join([title, *_lines(summary(r)), _table(numbers), folded]) + "\n"


def ended(outcome: RollbackOutcome, code: int) -> str:
    """The shortest form for a CI job: where the history could not be read."""
    result = str(outcome.result).replace("_", " ").upper()
    title = f"### {_safe(f'{outcome.rollback} {result} (exit {code})')}"
    return "\n\n".join([title, *_lines([outcome.because, outcome.effect])]) + "\n"


def going_on(rollback: str, because: str, code: int) -> str:
    """A CI job leaves, and the rollback goes on."""
    title = f"### {_safe(f'{rollback} continues (exit {code})')}"
    return "\n\n".join([title, *_lines([because])]) + "\n"


def refusal(what: Mapping[str, str], code: int) -> str:
    """A refusal on the page of a CI job: what happened, what it means, what to do next."""
    rows = (("production", what["effect"]), ("next", what["next_step"]))
    title = f"### Refused (exit {code})"
    return "\n\n".join([title, _safe(what["what"]), _table(Table("", ("", ""), rows))]) + "\n"


def _digest(r: Report) -> str:
    return short(r.digest) if r.digest else UNKNOWN


def _safe(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no link, no end of a table's cell."""
    escaped = re.sub(r"([\\`*_\[\]<>|~&$@#!])", r"\\\1", clean(text))
    return re.sub(r"(?i)\bwww\.", r"www\\.", escaped.replace("://", r"\://"))


def _lines(lines: Iterable[str]) -> list[str]:
    return [_safe(line) for line in lines]


def _table(table: Table) -> str:
    if not table.rows:
        return "None."
    rows = [table.head, *table.rows]
    lines = ["| " + " | ".join(map(_safe, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(table.head), *lines[1:]])


def _fenced(shell: Iterable[str]) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    body = "\n".join(map(clean, shell))
    longest = max(map(len, re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{body}\n{fence}"
