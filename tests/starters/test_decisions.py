"""Recorded decisions read, labelled, measured and replayed from a shell, on a real server."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from activities import decisions as activity
from rollback_manager.contract import incident_id
from rollback_manager.decision import asked
from rollback_manager.decision.engine import decide
from rollback_manager.decision.ledger import Entry, Label, Truth
from rollback_manager.decision.model import DecisionModel
from rollback_manager.incidents.analysis import analyse
from rollback_manager.incidents.incident import join
from starters import policy_file
from starters.refusals import UsageError
from tests import rig
from tests.commands import typed
from tests.incidents import NOW, POLICY, analysis_facts, evidence, facts, incident
from tests.rig import Rig

MILD = 0.12
"""Of the requests fail: above the usual limit of 10 %, below one of 15 %."""


@pytest.fixture
async def made(client: Client, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig.rig(client, tmp_path, cached=1000) as one:
        yield one


def keep(made: Rig, version: str, later_s: int = 0, truth: Truth | None = None) -> str:
    """Record a decision about that release; the id of its incident."""
    own = {"env": "test", "service": made.service, "version": version}
    at = NOW + timedelta(seconds=later_s)
    seen = join(incident().model_copy(update={**own, "joined": ()}), evidence(size=MILD))
    known = facts(incident=seen, analysis=analyse(analysis_facts(), POLICY), now=at)
    entry = Entry(
        analysed_from=analysis_facts(), facts=known, policy=POLICY, decision=decide(known, POLICY)
    )
    made.records.keep_decision("test", made.service, entry)
    if truth is not None:
        said = Label(truth=truth, by="anna", at=NOW)
        made.records.label_decision("test", entry.decision.incident, said)
    return entry.decision.incident


async def test_decisions_are_listed_and_labelled(made: Rig) -> None:
    code, document, _ = await typed(made, "decisions", "list")
    assert (code, document["kept"], document["rows"]) == (0, 0, [])
    names = [keep(made, f"v{number}", later_s=number) for number in range(1, 4)]
    code, document, _ = await typed(made, "decisions", "list", made.service, "--limit", "2")
    assert (code, document["kept"]) == (0, 3)
    assert [row["incident"] for row in document["rows"]] == [names[2], names[1]]
    assert document["rows"][0]["action"] == "rollback"

    words = ("decisions", "label", names[1], "false", "--note", "load test", "--by", "anna")
    code, document, _ = await typed(made, *words)
    assert (code, document["labelled"]) == (0, 1), document
    (row,) = document["rows"]
    assert (row["label"]["truth"], row["label"]["note"]) == ("false", "load test")


async def test_names_that_nobody_knows_are_refused(made: Rig) -> None:
    unknown = incident_id("test", made.service, "v7")
    code, document, _ = await typed(made, "decisions", "label", unknown, "true")
    assert (code, document["error"]) == (7, "NotFound")
    assert "decisions list" in document["next_step"]
    code, document, _ = await typed(made, "decisions", "list", "nobody")
    assert code == 7
    assert made.service in document["what"]
    code, document, _ = await typed(made, "decisions", "quality", "--env", "elsewhere")
    assert (code, document["what"].split(";")[1]) == (7, " known: test")


async def test_quality_and_training_rest_on_the_labels(made: Rig, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    code, document, talk = await typed(made, "decisions", "train", "--out", str(file))
    assert (code, document["model"]["kind"], document["file"]) == (7, "not_trained", None)
    assert "0 labels of 50" in talk
    assert not file.exists()

    for number in range(60):
        truth = Truth.FALSE if number % 3 == 0 else Truth.TRUE
        keep(made, f"v{number}", later_s=number, truth=truth)
    code, document, _ = await typed(made, "decisions", "quality", made.service)
    (row,) = document["quality"]
    assert (code, row["trigger"], row["right"], row["false"]) == (0, "critical_error_rate", 40, 20)
    code, document, _ = await typed(made, "decisions", "train", "--out", str(file))
    assert (code, document["file"]) == (0, str(file))
    assert DecisionModel.model_validate_json(file.read_text()).labels == 60
    assert [one.name for one in tmp_path.glob("*model*")] == ["model.json"]


async def test_a_model_is_asked_once_it_is_kept_and_no_more_once_it_is_not(
    made: Rig, tmp_path: Path
) -> None:
    code, document, _ = await typed(made, "decisions", "model")
    assert (code, document["model"]["kind"]) == (0, "not_trained")
    out = ("--out", str(tmp_path / "model.json"))
    code, document, _ = await typed(made, "decisions", "train", "--keep", *out)
    assert (code, document["model"]["kind"]) == (7, "not_trained"), "too few labels keep nothing"

    for number in range(60):
        truth = Truth.FALSE if number % 3 == 0 else Truth.TRUE
        keep(made, f"v{number}", later_s=number, truth=truth)
    code, document, _ = await typed(made, "decisions", "train", *out)
    assert (code, document["model"]["version"]) == (0, 0)
    assert made.records.model_in_use("test") is None, "trained is not asked"
    code, document, _ = await typed(made, "decisions", "train", "--keep", "--by", "ann", *out)
    assert (code, document["model"]["version"], document["model"]["trained_by"]) == (0, 1, "ann")
    code, document, _ = await typed(made, "decisions", "model")
    assert (code, document["model"]["version"], document["model"]["labels"]) == (0, 1, 60)

    code, document, _ = await typed(made, "decisions", "model", "--use", "none")
    assert (code, document["model"]["kind"]) == (0, "not_trained")
    code, document, _ = await typed(made, "decisions", "model", "--use", "7")
    assert (code, document["error"]) == (7, "NotFound")
    assert "kept: 1" in document["what"]
    code, document, _ = await typed(made, "decisions", "model", "--use", "1")
    assert (code, document["model"]["version"]) == (0, 1)


async def test_a_policy_is_replayed_over_the_past_and_what_was_left_out_is_said(
    made: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [keep(made, f"v{number}", later_s=number) for number in range(5)]
    file = tmp_path / "policy.yaml"
    file.write_text("limits:\n  error_ratio: 0.15\n")
    code, document, _ = await typed(made, "decisions", "replay", "--policy", str(file))
    assert (code, document["changed_in_all"]) == (0, 5), document
    assert [one["incident"] for one in document["changed"]] == names[::-1]
    (first, *_) = document["changed"]
    assert first["was"] != first["would_be"]
    assert any("15%" in reason for reason in first["because"]), first

    file.write_text(json.dumps({"limits": {"error_ratio": 0.10}}))
    code, document, _ = await typed(made, "decisions", "replay", "--policy", str(file))
    assert (code, document["changed_in_all"]) == (0, 0), "the same policy changes nothing"

    monkeypatch.setattr(activity, "MOST_READ", 3)
    monkeypatch.setattr(asked, "MOST_ROWS", 2)
    file.write_text("limits: {error_ratio: 0.15}\n")
    code, document, _ = await typed(made, "decisions", "replay", "--policy", str(file))
    assert (document["kept"], document["read"], document["changed_in_all"]) == (5, 3, 3)
    assert len(document["changed"]) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits:\n  error_ratio: 15\n", "p.yaml:2: limits.error_ratio: must be at most 1, not 15"),
        ("limits: {error_ratio: 11}\n", "at most 1, not 11; a share: 11 % is 0.11"),
        ("decisions:\n  fresh: 1\n", "p.yaml:2: fresh: there is no such field"),
        ("decisions: {}\nfresh_s: 1\n", "p.yaml:1: decisions: there is no such field"),
        ("decisions:\n", "p.yaml:1: decisions: there is no such field"),
        ("fresh_s: 0\n", "p.yaml:1: fresh_s: must be more than 0: at 0 all evidence"),
        ("limits:\n  errors: 0.1\n", "p.yaml:2: limits.errors: there is no such field"),
        ('{"cool_down_s": "long"}', "p.yaml:1: cool_down_s: expected a number"),
        ("- limits\n", "p.yaml:1: expected a mapping with fields of `decisions`"),
        ("limits: {error_ratio: .nan}\n", "p.yaml:1: limits.error_ratio: expected a finite number"),
        ("limits: [", "p.yaml:"),
    ],
)
def test_a_mistake_in_a_policy_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        policy_file.read(file)
    assert said in caught.value.what


def test_a_policy_may_have_the_heading_that_it_has_in_the_catalogue(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("decisions:\n  limits: {error_ratio: 0.11}\n")
    assert policy_file.read(file).limits.error_ratio == 0.11


def test_the_largest_answer_is_far_below_what_temporal_takes() -> None:
    one = asked.row(entry_with(reasons=("x" * 5000,) * 3))
    rows = asked.Decisions(kept=1, labelled=0, read=1, rows=(one,) * asked.MOST_ROWS)
    assert len(rows.model_dump_json()) < 1_000_000


def entry_with(**changes: object) -> Entry:
    known = facts()
    made = decide(known, POLICY).model_copy(update=changes)
    return Entry(analysed_from=analysis_facts(), facts=known, policy=POLICY, decision=made)
