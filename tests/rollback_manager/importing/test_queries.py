"""What is read out of a query, and which queries are said not to be understood."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.importing.labels import Picks, picked
from rollback_manager.importing.promql import DEEPEST, LONGEST, Matcher, Unread, seconds
from rollback_manager.importing.shapes import read
from rollback_manager.watch.signals import Signal

ALL = 'http_requests_total{service="shop"}'
BAD = 'http_requests_total{service="shop",code=~"5.."}'
GOOD = 'http_requests_total{service="shop",code!~"5.*"}'
BUCKETS = 'http_request_duration_seconds_bucket{service="shop"}'
ARGS = 'job="{{args.service-name}}"'


@pytest.mark.parametrize(
    ("query", "signal", "times"),
    [
        (f"sum(rate({BAD}[5m])) / sum(rate({ALL}[5m]))", Signal.ERROR_RATIO, 1),
        (f"sum(rate({GOOD}[1m])) / sum(rate({ALL}[1m]))", Signal.SUCCESS_RATIO, 1),
        (f"100 * sum(rate({BAD}[5m])) / sum(rate({ALL}[5m]))", Signal.ERROR_RATIO, 100),
        (f"(1 - sum(rate({BAD}[5m])) / sum(rate({ALL}[5m]))) * 100", Signal.SUCCESS_RATIO, 100),
        (f"100 - sum(rate({BAD}[5m])) / sum(rate({ALL}[5m])) * 100", Signal.SUCCESS_RATIO, 100),
        (f"sum(irate({BAD}[5m])) / sum(irate({ALL}[5m])) / 0.01", Signal.ERROR_RATIO, 100),
        (f"sum(increase({BAD}[5m])) / sum(increase({ALL}[5m]))", Signal.ERROR_RATIO, 1),
        (f"sum by (app) (rate({BAD}[5m])) / ignoring(x) sum(rate({ALL}[5m]))", "error_ratio", 1),
        (f"scalar(sum(rate({BAD}[5m])) / sum(rate({ALL}[5m])))", Signal.ERROR_RATIO, 1),
        ("sum(rate(api_errors_total[5m])) / sum(rate(api_calls_total[5m]))", "error_ratio", 1),
        (f"sum(rate({BAD}[5m]))", Signal.ERRORS_PER_S, 1),
        (f"sum without (pod) (rate({BAD}[5m])) or vector(0)", Signal.ERRORS_PER_S, 1),
        (f"+sum(rate({BAD}[5m]))", Signal.ERRORS_PER_S, 1),
        (f"sum(increase({BAD}[10m]))", Signal.ERRORS_PER_S, 600),
        (f"sum(rate({ALL}[5m]))  # all of them", Signal.REQUESTS_PER_S, 1),
        (f"histogram_quantile(0.95, sum(rate({BUCKETS}[5m])) by (le))", "latency_p95_ms", 0.001),
        (f"histogram_quantile(0.95, rate({BUCKETS}[5m])) * 1000", Signal.LATENCY_P95_MS, 1),
        (f"sum(rate(x_total{{{ARGS},s!~`[45]\\d\\d`}}[2m])) / sum(rate(x_total{{{ARGS}}}[2m]))",
         "success_ratio", 1),
        ("sum(rate(lat_ms_sum[5m])) / sum(rate(lat_ms_count[5m]))", Signal.LATENCY_P95_MS, 1),
    ],
)  # fmt: skip
def test_a_plain_query_is_read(query: str, signal: str, times: float) -> None:
    found = read(query)
    assert found.signal == Signal(signal)
    assert found.times == pytest.approx(times)


def test_the_parts_of_a_query_are_read() -> None:
    found = read(f"(sum(rate({BAD}[90s])) or vector(0)) / sum(rate({ALL}[90s]))")
    assert (found.requests, found.errors, found.window_s) == (
        "http_requests_total",
        ("code", "5.."),
        90,
    )
    assert found.matchers == (Matcher("service", "=", "shop"),)
    assert found.notes == ("an empty answer counts as a number there; here it is no measurement",)
    slow = read(f"histogram_quantile(0.99, sum by (le) (rate({BUCKETS}[5m])))")
    assert (slow.quantile, slow.latency, slow.latency_unit) == (
        0.99,
        "http_request_duration_seconds",
        "s",
    )
    assert not slow.notes, "by (le) is how a quantile is written"


def test_halves_that_pick_different_series_are_told() -> None:
    other = 'http_requests_total{service="shop",method="GET"}'
    found = read(f"sum(rate({BAD}[5m])) / sum(rate({other}[5m]))")
    assert any("different series" in note for note in found.notes)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("up", "a series as it stands, up, "),
        ("", "its end"),
        ("sum(rate(a[5m] offset 1d))", "another time"),
        ("avg(rate(a[5m]))", r"avg\(…\) is none of"),
        ("topk(5, rate(a[5m]))", r"topk\(…\) is none of"),
        ("rate(a[5m]) > 5", "a combination by '>'"),
        ("rate(a[5m]) + rate(b[5m])", "a combination by '\\+'"),
        ("rate(a[5m]) / rate(b[5m])", "not the failed or good ones among all"),
        (f"sum(rate({ALL}[5m])) / 0", "not above zero"),
        (f"5 - sum(rate({BAD}[5m])) / sum(rate({ALL}[5m]))", "less something"),
        ("rate(a{b=c}[5m])", "the label b was not understood"),
        ("rate(a{b='c' d='e'}[5m])", "stands between two conditions"),
        ("sum(increase(a_errors_total[{{args.w}}]))", "a placeholder stands for"),
        ("histogram_quantile(0.95, sum(rate(a[5m])))", "no histogram"),
        ("a €", "was not understood"),
        ("sum(rate(a[5m], 2))", "a rate of something that is not one metric"),
        ("sum(rate(sum(a)))", "not one metric"),
        ("sum(5)", "nothing that changes"),
        ("sum()", r"sum\(…\) is none of"),
        ("sum(max_over_time(a[5m]))", r"max_over_time\(…\) is none of"),
        ("rate({__name__='a'}[5m])", "not one metric"),
        ("a[5m]", "a range without a function"),
        ("sum by (a b) (rate(x[1m]))", "a list of labels"),
        ("rate(a{5='b'}[1m])", "'5' is no label"),
        ("histogram_quantile(2, rate(a_bucket[1m]))", "no number between 0 and 1"),
        ("rate(a_ms_sum[1m]) / rate(a_ms_count[1m]) / rate(b[1m])", "a ratio of latencies"),
        ('rate(a{x="y"}[1m]) / rate(a[1m])', 'whether x="y" picks good or failed'),
        ("sum(rate(a[5m])) sum", "was not expected"),
        ("(" * (DEEPEST + 1), "brackets within brackets"),
        ("-" * 3000, "nested too deeply"),
        ("a" * (LONGEST + 1), "characters"),
        ("2*" * 1900 + "rate(a[5m])", "a combination by '\\*'"),
        ("rate(a[5m])" + "*2" * 1900, "nested too deeply"),
        ("1e300 * (1e300 * rate(a[5m]))", "not above zero"),
    ],
)
def test_what_is_not_understood_is_said_to_be_so(query: str, said: str) -> None:
    with pytest.raises(Unread, match=said):
        read(query)


WORDS = (
    "sum rate irate increase histogram_quantile scalar or vector by ( ( ( ) ) ) { } [5m] , a_bucket"
    ' a_errors_total a_sum a_count b{code=~"5.."} b{c!="2.."} 0.95 100 0 * / - + = {{args.x}}'
)


@given(st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join))
def test_any_query_of_known_words_is_read_or_refused(text: str) -> None:
    with suppress(Unread):
        assert read(text).times > 0


@given(st.text(max_size=60) | st.text(alphabet='rate(sum)a{}[]5m/"=~|$,.', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Unread):
        read(text)


@pytest.mark.parametrize(
    ("sign", "value", "picks", "failed"),
    [
        ("=~", "5..", Picks.FAILED, "5.."),
        ("=~", "^5..$", Picks.FAILED, "5.."),
        ("=~", "5xx", Picks.FAILED, "5xx"),
        ("=~", "[45]..", Picks.FAILED, "4..|5.."),
        ("=~", "[4-5].*", Picks.FAILED, "4..|5.."),
        ("=~", r"5\d{2}|429", Picks.FAILED, "5..|429"),
        ("=~", "(500|502|503)", Picks.FAILED, "500|502|503"),
        ("=", "500", Picks.FAILED, "500"),
        ("=", "error", Picks.FAILED, "error"),
        ("=~", "SERVER_ERROR|timeout", Picks.FAILED, "SERVER_ERROR|timeout"),
        ("!~", "5.*", Picks.GOOD, "5.."),
        ("!=", "error", Picks.GOOD, "error"),
        ("=~", "2..", Picks.GOOD, "1..|3..|4..|5.."),
        ("=~", "[123]..", Picks.GOOD, "4..|5.."),
        ("=", "200", Picks.GOOD, None),
        ("=", "success", Picks.GOOD, None),
        ("=~", "2..|5..", Picks.OTHER, None),
        ("=~", "shop.*", Picks.OTHER, None),
        ("=", "", Picks.OTHER, None),
        ("=", "{{args.service-name}}", Picks.OTHER, None),
    ],
)
def test_a_condition_on_a_label_picks_failed_or_good_answers(
    sign: str, value: str, picks: Picks, failed: str | None
) -> None:
    assert picked(Matcher("code", sign, value)) == (picks, failed)


@pytest.mark.parametrize(
    ("text", "length"),
    [("5m", 300), ("1h30m", 5400), ("100ms", 0.1), ("", None), ("{{args.w}}", None), ("5", None)],
)
def test_a_range_is_read_in_seconds(text: str, length: float | None) -> None:
    assert seconds(text) == length
