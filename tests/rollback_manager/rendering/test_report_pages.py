"""The pages of a report: complete, the same bytes twice, not forged by what they quote."""

import builtins
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as Xml

import pytest
from markdown_it import MarkdownIt

from rollback_manager.audit import Proof
from rollback_manager.plan import ActionKind
from rollback_manager.progress import Sample
from rollback_manager.rendering import figures, html, markdown, picture
from rollback_manager.rendering.time_axis import TimeAxis, spread
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


def test_the_proof_by_the_audit_chain_is_told_where_it_was_asked_for(good: Report) -> None:
    assert "udit chain" not in markdown.report(good)
    proof = Proof(entries=9, since=2, head_seq=40, head="ab" * 32, anchored=38, holds=True)
    proven = good.model_copy(update={"audit": proof})
    assert "9 entries about this rollback; it holds" in markdown.report(proven)
    broken = proof.model_copy(update={"holds": False, "because": "entry 7 is edited"})
    wrong = good.model_copy(update={"audit": broken})
    assert "DOES NOT HOLD: entry 7 is edited" in html.report(wrong)
    alone = good.model_copy(update={"no_audit_because": "no worker answered"})
    assert "Not held against the audit chain: no worker answered." in markdown.report(alone)


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
    title = 'role="img"><title>rollback of shop</title>'
    assert f"{title}<desc>shop: highest error ratio of v2 13.8 %" in page


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


def test_an_error_ratio_rests_on_a_second_and_on_enough_answers() -> None:
    asked = [9, 21, 40, 40, 40, 40, 40, 3]  # four looks a second, as steps take them
    report = _seen([({b.NEW: n}, {b.NEW: n // 3}) for n in asked], every_s=0.25)
    ((first, last),) = picture.errors_of(report.services[0], b.NEW)
    assert (first.y, last.y) == pytest.approx((10 / 30, (13 * 5 + 1) / 203))
    few = _seen([({b.NEW: 3}, {b.NEW: 1})])
    assert [v.y for run in picture.errors_of(few.services[0], b.NEW) for v in run] == [1 / 3]


def test_where_nobody_looked_there_is_a_gap(good: Report) -> None:
    before, after = picture.errors_of(good.services[0], b.NEW)
    assert (before[-1].at, after[0].at) == (b.at(-1), b.at(21))


def test_a_long_time_in_which_nobody_looked_is_drawn_short() -> None:
    looks = [*range(-10, 1), *range(700, 731)]
    axis = TimeAxis(b.START, [b.at(second) for second in looks])
    ((begin, end, drawn),) = axis.cuts
    assert [begin, end, drawn] == pytest.approx([0, 700, 3.2])
    assert [axis.x(b.at(s)) for s in (-10, 350, 710)] == pytest.approx([-10, 1.6, 13.2])
    assert [text for _, text in axis.marks()] == ["-10", "-5", "0", *map(str, range(700, 731, 5))]


@pytest.mark.parametrize(
    ("looks", "marks"),
    [
        ([3], ["3"]),
        ([0, 0.25, 0.5], ["0", "0.5"]),
        (range(0, 100_000, 600), ["0", "14400", "28800", "43200", "57600", "72000", "86400"]),
    ],
)
def test_marks_stand_at_whole_steps(looks: list[float], marks: list[str]) -> None:
    axis = TimeAxis(b.START, [b.at(second) for second in looks])
    assert [text for _, text in axis.marks()] == marks


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([(10, 4), (50, 4)], [10, 50]),
        ([(50, 10), (50, 20)], [40, 55]),
        ([(2, 10), (4, 10), (99, 10)], [5, 15, 95]),
    ],
)
def test_names_stand_beside_each_other_and_inside(
    wanted: list[tuple[float, float]], places: list[float]
) -> None:
    assert spread(wanted, left=0, right=100) == places


def test_the_picture_names_versions_and_moments_beside_what_is_drawn(good: Report) -> None:
    words = re.findall(r"<text[^>]*>([^<]*)</text>", figures.timeline(good))
    spans = re.findall(r"<tspan[^>]*>([^<]*)</tspan>", figures.timeline(good))
    assert {"release", "decision", "shift", "traffic back", "verified"} <= {*words, *spans}
    assert (words.count("v1"), words.count("v2"), words.count("floor 2")) == (3, 3, 1)


def test_what_was_looked_at_once_is_drawn_and_long_names_are_cut_in_the_middle() -> None:
    canary = "canary-2026-03-01-b"
    report = _seen([({b.NEW: 60, canary: 40}, {canary: 4})])
    svg = figures.timeline(report)
    assert "canar…-03-01-b" in svg
    assert "unknown: nobody measured it" not in svg


def test_a_panel_without_measurements_says_so() -> None:
    evidence_alone = b.History()
    b.asked(evidence_alone)
    assert "unknown: nobody measured it" in figures.timeline(build(tuple(evidence_alone.entries)))
    silent = figures.timeline(_seen([({}, {})]))
    assert silent.count("unknown: nobody measured it") == 2


def test_lessons_are_on_both_pages() -> None:
    slow = b.steps()[1].model_copy(update={"finished_at": b.at(99), "because": "late"})
    history = b.History()
    b.asked(history)
    b.approved(history)
    history.activity(slow)
    report = build(tuple(history.entries))
    for page in (markdown.report(report), html.report(report)):
        assert "Lessons" in page
        assert "Refused by the guard: 0. Halts: 0." in page
        assert "Slower than planned: decision → traffic back took 79 s, planned 60 s" in page


def test_the_security_level_is_said_as_it_is(good: Report) -> None:
    signed = tuple(one.model_copy(update={"signed": True}) for one in good.decisions)
    signed_in = good.model_copy(update={"security": "mtls", "decisions": signed})
    assert "Security: mtls." in markdown.report(signed_in)
    assert "not authenticated" not in markdown.report(signed_in)


def test_a_step_under_way_and_one_not_begun_are_told_apart() -> None:
    history = b.History()
    b.asked(history)
    b.approved(history)
    history.add(b.CHILD, 21, Kind.ACTIVITY_SCHEDULED, "drain", of=2)
    text = markdown.report(build(tuple(history.entries)))
    assert "| drain | running | 6 min | unknown | unknown | unknown | unknown | unknown |" in text
    assert "| prepare | planned | 5 min | - | - | - | - | 0 |" in text


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


def _seen(looks: list[tuple[dict[str, int], dict[str, int]]], every_s: float = 1) -> Report:
    """A report whose only measurements are these looks of one step, the first at second 30."""
    samples = tuple(
        Sample(at=b.at(30 + number * every_s), ready={b.NEW: 2}, requests=requests, errors=errors)
        for number, (requests, errors) in enumerate(looks)
    )
    history = b.History()
    b.asked(history, b.request(evidence=()))
    b.approved(history)
    history.activity(b.step(ActionKind.PREPARE, 30, 40, samples=samples))
    return build(tuple(history.entries))


def _tags(page: str) -> set[str]:
    found = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)

    Tags().feed(page)
    return found
