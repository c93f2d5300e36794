"""The picture of the evidence: drawn, named beside its lines, and told to those who listen."""

import builtins
import re
from xml.etree import ElementTree as Xml

import pytest

from rollback_manager.rendering import evidence_figure, evidence_words, html, markdown
from rollback_manager.report import Report, build
from rollback_manager.watch.evidence_trace import EvidenceTrace, Measure, Tally
from tests import builders as b
from tests.traces import trace

ALARM = b.at(-3)


def report(made: EvidenceTrace) -> Report:
    return build(b.verified(b.request(evidence=(), trace=made)))


@pytest.fixture(scope="module")
def rose() -> Report:
    return report(trace(ALARM))


def texts(svg: str) -> list[str]:
    return re.findall(r"<t(?:ext|span)[^>]*>([^<]*)</t", svg)


def test_the_picture_is_the_same_bytes_twice(rose: Report) -> None:
    assert evidence_figure.evidence(rose) == evidence_figure.evidence(report(trace(ALARM)))


def test_the_alarm_the_decision_and_the_first_shift_are_marked(rose: Report) -> None:
    named = texts(evidence_figure.evidence(rose))
    assert {"alarm", "decision", "shift"} <= set(named)
    assert "seconds since the alarm at 13:59:57Z" in named


def test_lines_are_named_where_they_are_and_not_by_colour_alone(rose: Report) -> None:
    svg = evidence_figure.evidence(rose)
    named = texts(svg)
    assert (named.count("v1"), named.count("v2"), named.count("threshold")) == (1, 1, 1)
    assert "evidence against v2, multiple of its threshold" in named
    assert "failed requests, % of each version's" in named
    assert re.findall(r"stroke-dasharray: [\d., ]+; stroke-dashoffset: 0; stroke: #d55e00", svg)


def test_the_threshold_is_marked_apart_where_the_evidence_had_to_stand() -> None:
    waited = report(trace(ALARM, *[0.1] * 5, *[1.1] * 12))
    named = texts(evidence_figure.evidence(waited))
    assert named.count("threshold") == 2
    assert "-11 s" in named
    assert "had to stand for 11 s first" in markdown.report(waited)


def test_a_long_wait_for_people_is_cut_out() -> None:
    named = texts(evidence_figure.evidence(report(trace(b.at(-900)))))
    assert "not drawn" in named
    assert "for 15 min 20 s" in named


def test_what_is_seen_is_told(rose: Report) -> None:
    words = (
        "The test error_ratio of v2 beside v1 gave the alarm at 13:59:57Z, with 3.85 of 3.5 nats. "
        "The evidence reached its threshold at 13:59:57Z. "
        "Failed requests, highest: 12.0 % of v2&#x27;s, 1.0 % of v1&#x27;s."
    )
    page = html.report(rose)
    title = 'role="img"><title>evidence against v2 until the alarm</title>'
    assert f"{title}<desc>{words}</desc>" in page
    assert f"<figcaption>{words}</figcaption>" in page


def test_without_a_picture_there_is_a_line_of_bars(rose: Report) -> None:
    assert "▁▂▃▃▅▆│█  25 s until 13:59:57Z; │ threshold" in markdown.report(rose)
    assert "│█" not in html.report(rose)


def test_the_table_has_a_dozen_rows_and_every_request(rose: Report) -> None:
    rows = list(evidence_words.rows(rose.request.trace))
    assert len(rows) <= evidence_words.ROWS
    assert rows[-1] == ("13:59:57Z", "1.10", "36 of 300 (12.0 %)", "3 of 300 (1.0 %)")
    assert sum(int(row[2].split()[2]) for row in rows) == 2600
    for page in (markdown.report(rose), html.report(rose)):
        assert "12.0 %" in page
        assert "failed requests of v2" in page


def test_what_is_just_below_the_threshold_is_not_rounded_up_to_it() -> None:
    (row,) = evidence_words.rows(trace(ALARM, 0.997))
    assert row[1] == "0.99"


def test_slow_requests_are_called_slow() -> None:
    slow = report(trace(ALARM, test="latency_p95", measure=Measure.SLOW))
    assert "slow requests, % of each version's" in texts(evidence_figure.evidence(slow))
    assert "| slow requests of v2 |" in markdown.report(slow)


def test_with_nothing_beside_it_there_is_one_line() -> None:
    alone = report(trace(ALARM, old="", unit="bad minutes", evidence=3, threshold=3))
    named = texts(evidence_figure.evidence(alone))
    assert "v2" in named
    assert "v1" not in named
    assert "of v2 by a fixed limit" in html.report(alone)
    assert "with 3 of 3 bad minutes" in html.report(alone)


def test_what_was_not_counted_is_unknown_and_never_zero() -> None:
    whole = trace(ALARM)
    uncounted = [one.model_copy(update={"old": Tally(0, 0)}) for one in whole.points]
    page = markdown.report(report(whole.model_copy(update={"points": tuple(uncounted)})))
    assert "12.0 % of v2's, unknown of v1's" in page
    assert "(12.0 %) | unknown |" in page


def test_one_point_is_drawn() -> None:
    one = report(trace(ALARM, 1.2))
    Xml.fromstring(evidence_figure.evidence(one))  # noqa: S314 - our own
    assert "stood at its threshold for 0 s at least" in markdown.report(one)


def test_names_that_others_gave_are_text() -> None:
    hostile = report(trace(ALARM, new="<script>$x$\x1b[31m", old="canary-2026-03-01-b"))
    svg = evidence_figure.evidence(hostile)
    Xml.fromstring(svg)  # noqa: S314 - our own
    assert "<script" not in html.report(hostile)
    assert "\x1b" not in html.report(hostile)
    assert "canar…-03-01-b" in svg


def test_a_rollback_that_no_test_asked_for_has_no_such_part() -> None:
    asked = build(b.verified())
    assert evidence_figure.evidence(asked) == ""
    for page in (markdown.report(asked), html.report(asked)):
        assert "Evidence until the alarm" not in page


def test_without_matplotlib_the_words_and_the_table_stay(
    rose: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(builtins, "__import__", without)
    page = html.report(rose)
    assert "<svg" not in page
    assert "gave the alarm at 13:59:57Z" in page
    assert "36 of 300 (12.0 %)" in page
