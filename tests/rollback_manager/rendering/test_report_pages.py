"""The pages of a report: complete, the same bytes twice, not forged by what they quote."""

import builtins
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as Xml

import pytest
from markdown_it import MarkdownIt

from rollback_manager.rendering import figures, html, markdown
from rollback_manager.report import Kind, Report, build
from tests import builders as b

HOSTILE = "<script>alert(1)</script> | `x` \x1b[31mred\u202e [a](http://e.example) **b** $x$\n# no"


@pytest.fixture(scope="module")
def good() -> Report:
    return build(b.verified())


@pytest.fixture(scope="module")
def hostile() -> Report:
    return build(b.verified(b.request(reason=HOSTILE, requested_by=HOSTILE, incident=HOSTILE)))


@pytest.fixture(scope="module")
def unknown() -> Report:
    history = b.History()
    b.asked(history, b.request(evidence=()))
    return build(tuple(history.entries))


def test_each_page_is_the_same_bytes_twice(good: Report) -> None:
    again = build(b.verified())
    assert figures.timeline(good) == figures.timeline(again)
    assert html.report(good) == html.report(again)
    assert markdown.report(good) == markdown.report(again)
    assert markdown.ci_summary(good) == markdown.ci_summary(again)


def test_the_outcome_comes_first_with_its_numbers(good: Report) -> None:
    first, _, second = markdown.report(good).splitlines()[:3]
    assert first == "# VERIFIED: shop v2 → v1 in demo"
    assert second.startswith("Decision → traffic back 5.2 s; decision → verified 67.0 s; ")
    assert "failed by our own doing: 0; impact: 1.1 min" in second


def test_a_second_attempt_is_shown_on_both_pages(good: Report) -> None:
    words = "2; the one before ended: activity Heartbeat timeout"
    assert words in markdown.report(good)
    assert words in html.report(good)


def test_every_row_has_the_cells_of_its_table(hostile: Report) -> None:
    for block in re.findall(r"(?:^\|.*\|\n)+", markdown.report(hostile), re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(cells) == 1


def test_what_others_wrote_is_text_in_markdown(hostile: Report) -> None:
    text = markdown.report(hostile)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert not {"script", "a", "strong-b"} & _tags(page)
    assert "&lt;script&gt;" in page
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_what_others_wrote_is_text_in_html(hostile: Report) -> None:
    page = html.report(hostile)
    assert not {"script", "a", "img"} & _tags(page)
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_versions_that_others_named_are_text_in_the_picture() -> None:
    entries = b.verified()
    seen = entries[-3]
    assert seen.kind is Kind.ACTIVITY_DONE
    forged = seen.payload.replace('"v2":', '"<script>$x$\\u001b":')
    report = build((*entries[:-3], seen.model_copy(update={"payload": forged}), *entries[-2:]))
    svg = figures.timeline(report)
    assert "&lt;script&gt;$x$" in svg
    Xml.fromstring(svg)  # noqa: S314 - our own


def test_the_page_needs_nothing_from_elsewhere(good: Report) -> None:
    page = html.report(good)
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    assert not re.findall(r"url\((?!#)", page)


def test_headings_and_tables_are_told_to_those_who_listen(good: Report) -> None:
    page = html.report(good)
    assert page.count("<h1") == 1
    assert page.count("<table>") == page.count("<caption>")
    assert 'role="img" aria-label="shop: highest error ratio of v2 13.8 %' in page


def test_what_is_not_known_says_so_and_is_never_zero(unknown: Report) -> None:
    text = markdown.report(unknown)
    assert text.startswith("# STILL RUNNING: shop v2 → v1 in demo")
    assert "traffic back unknown; decision → verified unknown" in text
    assert "our own doing: unknown; impact: unknown" in text
    assert "highest error ratio of v2 unknown" in text
    assert figures.timeline(unknown) == ""
    assert html.NO_POINTS in html.report(unknown)


def test_without_matplotlib_the_page_says_how_to_get_it(
    good: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(builtins, "__import__", without)
    page = html.report(good)
    assert "pip install &#x27;rollback-manager[worker]&#x27;" in page
    assert "Lowest number of ready instances 2, floor 2" in page
    assert "<svg" not in page


def test_the_ci_summary_is_short_and_has_the_exit_code(good: Report) -> None:
    text = markdown.ci_summary(good)
    assert text.startswith("### VERIFIED: shop v2 → v1 in demo (exit 0)")
    assert "| 2 (floor 2) |" in text
    assert len(text) < 5_000


def test_a_rollback_without_a_plan_has_a_whole_page() -> None:
    history = b.History()
    history.add(b.PARENT, 0, Kind.STARTED, "RollbackWorkflow", b.request())
    history.add(b.PARENT, 9, Kind.FAILED, because="out of order")
    report = build(tuple(history.entries))
    assert "ENDED WITHOUT A RESULT (failed)" in html.report(report)
    assert "There was no plan: unknown." in markdown.report(report)
    assert "Security: unknown." in markdown.report(report)
    assert "(exit" not in markdown.ci_summary(report)


def _tags(page: str) -> set[str]:
    found = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)

    Tags().feed(page)
    return found
