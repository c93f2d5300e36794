"""Incidents, the watch and past decisions on a terminal: what a person reads at night."""

from datetime import timedelta
from typing import Any

import pytest

from rollback_manager.client.incidents import ListedIncident
from rollback_manager.decision.asked import Decisions, row, shortened
from rollback_manager.decision.calibration import Calibration, CalibrationReport, Level
from rollback_manager.decision.engine import decide
from rollback_manager.decision.facts import Action
from rollback_manager.decision.ledger import Entry, Label, Overturned, Quality, Ruling, Truth
from rollback_manager.decision.model import DecisionModel, NotTrained
from rollback_manager.incidents.alarms import Refusal, Refused
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.incident_status import (
    IncidentStatus,
    IncidentVerdict,
    SeenIncident,
    unwanted,
)
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.rendering import (
    evidence_line,
    terminal_decisions,
    terminal_incident,
    terminal_watch,
    web_ui_incident,
)
from rollback_manager.rendering.layout import width
from rollback_manager.watch.watching import SeenWatch, Trouble, Watch, Watched
from tests.incidents import NOW, POLICY, analysis_facts, facts, incident
from tests.traces import trace

ROLLBACK = "rollback/prod/shop-v2-12345678"

BLIND = Trouble(service="stock", because="no answer")


def seen(status: Status, ended: str = "", **more: Any) -> SeenIncident:
    known = incident().model_copy(update={"status": status})
    told = IncidentStatus(incident=known, because="it is worse", **more)
    return SeenIncident(status=told, ended=ended)


def text_of(one: SeenIncident) -> str:
    text = terminal_incident.incident(one)
    assert max(map(width, text.splitlines())) <= 80
    return text


def test_an_incident_that_asks_shows_its_evidence_and_the_three_answers() -> None:
    refused = (Refused(refusal=Refusal.STALE, because="it fired 400 s ago"),)
    asks = seen(Status.DECISION_MADE, decision=decide(facts(), POLICY), refused=refused)
    text = text_of(asks)
    assert asks.asks
    assert "incident/prod/shop/v2   ASKS A PERSON" in text
    assert "v2 fails 25 of 100 requests" in text
    assert "stale alarm: it fired 400 s ago" in text
    for word in ("rollback", "fix_forward", "monitor"):
        assert f"incident decide shop v2 {word} --env prod" in text


def listed(version: str, state: str, *, ended: bool = False) -> ListedIncident:
    return ListedIncident(
        incident=f"incident/prod/shop/{version}",
        state=state,
        trigger="critical_error_rate",
        started_at=NOW,
        closed_at=NOW if ended else None,
    )


@pytest.mark.parametrize(
    ("runs", "version"),
    [
        ((listed("v5", "planned"), listed("v4", "decision_made"), listed("v3", "detected")), "v4"),
        ((listed("v5", "decision_made", ended=True), listed("v4", "planned")), "v4"),
        ((listed("v5", "resolved", ended=True), listed("v4", "failed", ended=True)), "v5"),
    ],
    ids=["it asks", "it runs", "all have ended"],
)
def test_a_list_ends_with_the_command_that_shows_what_is_most_urgent(
    runs: tuple[ListedIncident, ...], version: str
) -> None:
    last = terminal_incident.listed(runs).splitlines()[-1]
    assert last == f"next:  rollback-manager incident show shop {version} --env prod"
    strange = runs[0].model_copy(update={"incident": "by hand"})
    assert "incident show SERVICE VERSION --env E" in terminal_incident.listed((strange,))


@pytest.mark.parametrize(
    ("one", "state", "line"),
    [
        (seen(Status.DETECTED), "DETECTED", "incident show shop v2 --env prod"),
        (seen(Status.PLANNED, rollback=ROLLBACK), "PLANNED", f"watch {ROLLBACK}"),
        (seen(Status.RESOLVED, "completed", rollback=ROLLBACK), "RESOLVED, ENDED", "report"),
        (seen(Status.RESOLVED, rollback=ROLLBACK), "RESOLVED", "report"),
        (seen(Status.MONITORING, "completed"), "MONITORING, ENDED", "start shop --env prod"),
        (seen(Status.DECISION_MADE, "terminated"), "DECISION MADE, TERMINATED", "start shop"),
    ],
)
def test_the_next_line_fits_the_moment(one: SeenIncident, state: str, line: str) -> None:
    text = text_of(one)
    assert state in text.splitlines()[0]
    assert f"rollback-manager {line}" in text
    assert "incident decide" not in text


def test_the_evidence_until_the_alarm_is_one_line() -> None:
    rose = trace(NOW)
    text = text_of(seen(Status.PLANNED, trace=rose))
    bars = "▁" * 20 + "▂▃▃▅▆│█"
    assert f"over time:   {bars}  25 s until 14:07:00Z; │ threshold\n" in text
    assert "over time" not in text_of(seen(Status.PLANNED))
    told = IncidentStatus(incident=incident(), trace=rose)
    assert f"Evidence: {bars}" in web_ui_incident.details(told)


@pytest.mark.parametrize(
    ("evidence", "bars"),
    [
        ((1.2,), "│█"),
        ((0.2, 0.3), "▂▃│"),
        ((*[0.0] * 270, *[1.1] * 30), "▁" * 27 + "│███"),
        ((-0.5, 0.99, 1.0), "▁▇│█"),
    ],
    ids=["at once", "never", "after long", "from below nothing"],
)
def test_a_bar_is_full_at_the_threshold_only(evidence: tuple[float, ...], bars: str) -> None:
    assert evidence_line.bars(trace(NOW, *evidence)) == bars


def test_a_word_counts_only_while_it_is_waited_for() -> None:
    asks = incident().model_copy(update={"status": Status.DECISION_MADE})
    word = IncidentVerdict(action=Action.MONITOR, by="anna")
    assert unwanted(asks, word) == ""
    assert "planned" in unwanted(asks.model_copy(update={"status": Status.PLANNED}), word)
    assert not unwanted(asks.model_copy(update={"status": Status.MONITORING}), word)
    assert "asked for" in unwanted(asks, IncidentVerdict(action=Action.MANUAL_REVIEW, by="anna"))
    # A rollback in the incident's own name would ask nobody (tiering.is_automatic).
    itself = IncidentVerdict(action=Action.ROLLBACK, by=asks.id)
    assert "a person's word" in unwanted(asks, itself)


def test_the_watch_says_what_it_compares_and_how_old_that_is() -> None:
    one = Watched(service="shop", version="v2", beside="v1", says="fine so far: 0.1 % of 900")
    alone = Watched(service="cart", version="v7", beside="", says="cannot tell: 12 requests")
    known = Watch(env="prod", releases=(one, alone), trouble=(BLIND,), looked=True)
    text = terminal_watch.watch(SeenWatch(watch=known, looked_at=NOW), NOW + timedelta(seconds=5))
    assert "last beat 5 s ago" in text
    assert "shop   v2 beside v1" in text
    assert "cart   v7 beside nothing, by fixed limits" in text
    assert "stock: no answer" in text
    assert "STANDS STILL" not in text


def test_a_watch_that_stands_still_or_sees_nothing_says_so() -> None:
    nothing = Watch(env="prod", looked=True)
    late = SeenWatch(watch=nothing, looked_at=NOW, trouble="attempt 3: no route to host")
    text = terminal_watch.watch(late, NOW + timedelta(seconds=50))
    assert "STANDS STILL" in text
    assert "attempt 3: no route to host" in text
    assert "No release is watched" in text
    assert "not looked yet" in terminal_watch.watch(SeenWatch(watch=Watch(env="prod")), NOW)


def test_a_beat_renews_what_is_said_and_keeps_the_rest() -> None:
    old = [Watched(service=name, version="v2", beside="v1", says="old") for name in ("a", "b")]
    watch = Watch(env="prod", releases=tuple(old), looked=True)
    new = old[0].model_copy(update={"says": "new"})
    told = watch.with_news(Watch(env="prod", releases=(new,), trouble=(BLIND,)))
    assert [one.says for one in told.releases] == ["new", "old"]
    assert told.trouble == (BLIND,)
    assert watch.first(1).releases == (old[0],)


def entry(truth: Truth | None = None, trigger: TriggerKind | None = None) -> Entry:
    known = facts()
    label = Label(truth=truth, by="anna", at=NOW, trigger=trigger, note="ok") if truth else None
    return Entry(
        analysed_from=analysis_facts(),
        facts=known,
        policy=POLICY,
        decision=decide(known, POLICY),
        label=label,
    )


def found(**more: Any) -> Decisions:
    return Decisions.model_validate({"kept": 9, "labelled": 4, "read": 2, **more})


def test_decisions_are_told_with_their_labels_and_with_what_is_not_shown() -> None:
    rows = (row(entry(Truth.MISSED, TriggerKind.DATA_CORRUPTION)), row(entry()))
    text = terminal_decisions.listed(found(rows=rows))
    assert "labelled: missed (data_corruption should have fired) by anna" in text
    assert "7 older ones are not shown" in text
    assert terminal_decisions.listed(found()) == "no decisions are recorded"
    assert "counts for no trigger" in terminal_decisions.label(
        found(rows=(row(entry(Truth.MISSED)),))
    )
    assert "counts for no" not in terminal_decisions.label(found(rows=(row(entry(Truth.TRUE)),)))


def test_quality_says_unknown_where_nothing_was_labelled_that_could_tell() -> None:
    one = Quality(
        trigger=TriggerKind.BUSINESS_METRIC_DROP,
        right=0,
        false=0,
        missed=1,
        precision=None,
        recall=0.0,
        detected_in_s=None,
    )
    text = terminal_decisions.quality(found(quality=(one,)))
    assert max(map(width, text.splitlines())) <= 80
    assert "unknown    0.0 %" in text
    assert "2 older ones were left out" in text
    assert "no decision is labelled" in terminal_decisions.quality(found())


def test_a_model_that_is_not_trained_says_why() -> None:
    none = NotTrained(because="not trained: 4 labels of 50")
    assert "4 labels of 50. No file" in terminal_decisions.trained(found(model=none), "m.json")
    assert "not trained" in terminal_decisions.trained(found(), "m.json")
    assert "train --keep" in terminal_decisions.model(found())


def test_a_model_is_asked_only_where_it_was_kept() -> None:
    made = DecisionModel(
        intercept=0.0,
        coefficients=(),
        labels=60,
        bad=40,
        report=CalibrationReport(bins=(), expected_error=0.04, count=60),
    )
    assert "It is not asked." in terminal_decisions.trained(found(model=made), "m.json")
    kept = made.model_copy(update={"version": 3, "trained_by": "anna", "trained_at": NOW})
    told = terminal_decisions.trained(found(model=kept), "m.json")
    assert "kept as version 3: it is asked where the rules are not sure" in told
    shown = terminal_decisions.model(found(model=kept))
    assert "version 3: it is asked" in shown
    assert "trained by anna" in shown


def test_a_measured_confidence_stands_beside_the_sum_of_signs_on_every_page() -> None:
    level = Level(trigger=TriggerKind.CRITICAL_ERROR_RATE, nats_from=0, alarms=98, false=9)
    measured = decide(facts(calibration=Calibration(fleet=(level,))), POLICY)
    for made, words in (
        (measured, "confidence 0.90 (measured on past alarms; sum of signs 0.95)"),
        (decide(facts(), POLICY), "confidence 0.95 (sum of signs, not calibrated)"),
    ):
        status = seen(Status.DECISION_MADE, decision=made)
        kept = entry().model_copy(update={"decision": made})
        assert words in " ".join(text_of(status).split())
        assert words in web_ui_incident.details(status.status)
        assert words in terminal_decisions.listed(found(rows=(row(kept),)))
    old = row(entry()).model_copy(update={"calibrated": True, "signs": None})
    assert "(measured on past alarms)" in terminal_decisions.listed(found(rows=(old,)))


def test_a_replay_tells_what_changes_and_how_much_it_left_out() -> None:
    one = Overturned(
        incident="incident/prod/shop/v2",
        decided_at=NOW,
        was=Ruling(action=Action.ROLLBACK, votes_needed=0),
        would_be=Ruling(action=Action.MANUAL_REVIEW, votes_needed=2),
        because=("x" * 900,) * 9,
        label=entry(Truth.FALSE).label,
    )
    short = shortened(one)
    assert [len(reason) for reason in short.because] == [300] * 5
    text = terminal_decisions.replayed(found(changed=(short,) * 30, changed_in_all=70))
    assert "70 of 2 verdicts change" in text
    assert "rollback  →  manual_review, 2 should agree" in text
    assert "2 should agree: at level local the first vote counts" in text
    assert "50 older changes are not shown; --json has 30 of 70" in text
    assert "7 older ones were left out" in text
    assert "no verdict changes, of 2" in terminal_decisions.replayed(found())


def test_what_an_outsider_wrote_is_no_markup_on_the_web_page() -> None:
    one = incident()
    joined = one.joined[0]
    words = "![x](https://a.example/) | **all is well** <b>\nApproved"
    newest = joined.newest.model_copy(update={"words": words})
    joined = joined.model_copy(update={"newest": newest})
    known = one.model_copy(update={"joined": (joined,)})
    text = web_ui_incident.details(IncidentStatus(incident=known, because=words))
    assert "\nApproved" not in text
    for markup in ("![x]", "**all", "<b>", "/) | "):
        assert markup not in text
