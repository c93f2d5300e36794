"""The report as one page that needs nothing else: no script, no request to anywhere."""

import html
from collections.abc import Callable
from functools import partial

from rollback_manager.rendering import evidence_figure, evidence_words, figures
from rollback_manager.rendering.layout import clean
from rollback_manager.rendering.picture import in_words
from rollback_manager.rendering.report_parts import Section, Table
from rollback_manager.rendering.report_sections import PICTURE, sections
from rollback_manager.rendering.report_summary import headline, is_good, summary
from rollback_manager.report import Report, ServicePart

NO_MATPLOTLIB = (
    "There is no picture, because matplotlib is not installed. "
    "Install it and make the report again: pip install 'rollback-manager[worker]'. "
    "The numbers are all in the tables."
)
NO_POINTS = "There is no picture: neither evidence nor steps left measurements (unknown)."
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --ink: #1b1d22; --page: #fff; --soft: #5a6070; --line: #d5d8df;
  --band: #f4f5f7; --good: #0072b2; --act: #b34700; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e9ed; --page: #16181d; --soft: #a3a9b8;
  --line: #3a3f4b; --band: #20232a; --good: #6cb8ea; --act: #ff9d5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: .5rem 0; padding-left: .75rem;
  border-left: .4rem solid var(--act); }
h1.good { border-color: var(--good); }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
p { margin: .4rem 0; max-width: 60rem; }
.wide { overflow-x: auto; margin: .75rem 0; }
.wide:focus-visible { outline: 2px solid var(--good); }
table { border-collapse: collapse; width: 100%; min-width: 42rem; font-size: .875rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; max-width: 24rem;
  font-variant-numeric: tabular-nums; }
thead th { color: var(--soft); font-weight: 600; overflow-wrap: normal; }
tbody th { font-weight: 400; }
pre { background: var(--band); padding: .75rem; overflow-x: auto; font-size: .85rem; }
figure { margin: 1rem 0; }
figure svg { width: 100%; height: auto; min-width: 36rem; max-width: 60rem; display: block; }
figure text { font-family: system-ui, sans-serif !important; }
figcaption { color: var(--soft); font-size: .875rem; }
@media (max-width: 48rem) { table { width: max-content; } td { max-width: 15rem; } }
@media print { .wide { overflow: visible; } h2 { break-after: avoid; } }
"""


def report(r: Report) -> str:
    """The whole page; the outcome line is its heading."""
    title = _safe(headline(r))
    parts = sections(r)
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
            f'<h1 class="{"good" if is_good(r) else "act"}">{title}</h1>',
            *(f"<p>{_safe(line)}</p>" for line in summary(r)),
            *(_section(r, section) for section in parts),
            "</main>\n</body>\n</html>\n",
        )
    )


def _section(r: Report, section: Section) -> str:
    draw = {PICTURE: _pictures, evidence_words.EVIDENCE: _traced}.get(section.title)
    body = [draw(r)] if draw else [f"<p>{_safe(line)}</p>" for line in section.lines]
    title = "Picture" if section.title == PICTURE else section.title
    shell = "\n".join(_safe(line) for line in section.shell)
    body += [_table(table) for table in section.tables]
    body += [f'<pre tabindex="0">{shell}</pre>'] if shell else []
    return "\n".join((f"<section>\n<h2>{_safe(title)}</h2>", *body, "</section>"))


def _pictures(r: Report) -> str:
    return "\n".join(_picture(r, part) for part in r.services) or f"<p>{_safe(NO_POINTS)}</p>"


def _picture(r: Report, part: ServicePart) -> str:
    name = part.plan.service
    return _figure(name, in_words(r, name), partial(figures.timeline, r, name))


def _traced(r: Report) -> str:
    words = " ".join(evidence_words.in_words(r.request.trace))
    return _figure("the evidence", words, partial(evidence_figure.evidence, r))


def _figure(name: str, text: str, draw: Callable[[], str]) -> str:
    words = _safe(text)
    try:
        svg = draw()
    except ImportError:
        return f"<p>{_safe(NO_MATPLOTLIB)}</p>\n<p>{words}</p>"
    if not svg:
        return f"<p>{_safe(NO_POINTS)}</p>\n<p>{words}</p>"
    label = _safe(f"picture of {name}")
    scroll = f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
    return f"<figure>\n{scroll}{svg}</div>\n<figcaption>{words}</figcaption>\n</figure>"


def _table(table: Table) -> str:
    if not table.rows:
        return f"<p>{_safe(table.caption)}: none.</p>"
    head = "".join(f'<th scope="col">{_safe(cell)}</th>' for cell in table.head)
    rows = "\n".join(_row(row) for row in table.rows)
    label = _safe(table.caption)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}">\n'
        f"<table>\n<caption>{label}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _row(row: tuple[str, ...]) -> str:
    first, *rest = row
    cells = "".join(f"<td>{_safe(cell)}</td>" for cell in rest)
    return f'<tr><th scope="row">{_safe(first)}</th>{cells}</tr>'


def _safe(text: str) -> str:
    """Foreign text as text."""
    return html.escape(clean(text), quote=True)
