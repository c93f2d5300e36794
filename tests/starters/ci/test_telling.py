"""What a CI job is told: nothing that others wrote becomes a command, an output or a variable."""

import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer

from rollback_manager.contract import NAME
from rollback_manager.errors import Blocked
from rollback_manager.gates import GateAnswer, GateResult, Group
from rollback_manager.progress import Result
from rollback_manager.rendering import junit
from starters import console
from starters.ci import files, github, telling
from starters.ci.github import Level
from starters.ci.job import Job, Source, this_job
from starters.following import answer_of, going_on
from starters.views import view_of
from tests import builders as b

EVIL = "x\n::error::forged\n##[add-mask]x\r\nrollback_id=forged\n%0A::set-output name=a::b"
WORD = re.compile(r"^(\w+)<<(end-[0-9a-f]{32})\n(.*?)\n\2\n", re.MULTILINE | re.DOTALL)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """As GitHub describes a job to its steps."""
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "9001",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_JOB": "deploy",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "ROLLBACK_GATEWAY": "https://rollback.example.com/",
    }.items():
        monkeypatch.setenv(name, value)
    found = this_job()
    assert found is not None
    return found


def outputs(job: Job) -> dict[str, str]:
    """As the runner reads them."""
    assert job.output is not None
    return {name: value for name, _, value in WORD.findall(job.output.read_text())}


def test_a_rerun_has_the_same_key_and_another_run_job_or_service_has_not(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = job.key(["shop"])
    assert NAME.fullmatch(key)
    assert key.startswith("ci-shop-9001-deploy-")
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")
    again = this_job()
    assert again is not None
    assert again.key(["shop"]) == key
    assert again.key(["shop", "cart"]) == again.key(["cart", "shop"]) != key
    for name in ("GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_JOB"):
        with monkeypatch.context() as other:
            other.setenv(name, "another")
            elsewhere = this_job()
            assert elsewhere is not None
            assert elsewhere.key(["shop"]) != key


@pytest.mark.parametrize(
    "words", [("acme/shop", "1", "x" * 300), ("", "", ""), ("ä/Ö", "7", "build: [a, b] / ✓")]
)
def test_whatever_a_job_is_called_its_key_is_a_name(words: tuple[str, str, str]) -> None:
    assert NAME.fullmatch(Job(Source.GITLAB, *words).key(["shop"]))


def test_gitlab_names_its_job_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITLAB_CI", "true")
    for name, value in {"PROJECT_PATH": "acme/shop", "PIPELINE_ID": "7", "JOB_NAME": "go"}.items():
        monkeypatch.setenv(f"CI_{name}", value)
    job = this_job()
    assert job == Job(Source.GITLAB, "acme/shop", "7", "go")


def test_no_text_becomes_a_command() -> None:
    told = github.annotation(Level.ERROR, EVIL, EVIL)
    assert "\n" not in told
    assert "\r" not in told
    assert told.startswith("::error title=x%0A%3A%3Aerror%3A%3Aforged")
    for line in github.harmless(EVIL).split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
    assert github.harmless("error: it broke\n  ::not at the beginning") != "::"
    assert github.harmless_json('{"a":"##[error]"}') == '{"a":"##\\u005berror]"}'


def test_no_value_becomes_another_output(tmp_path: Path) -> None:
    file = tmp_path / "output"
    github.output(file, {"a": EVIL, "b": "2"})
    github.output(file, {"c": ""})
    found = {name: value for name, _, value in WORD.findall(file.read_bytes().decode())}
    assert found == {"a": EVIL, "b": "2", "c": ""}


def test_an_end_is_told_as_outputs_annotations_and_a_summary(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    unclear = GateResult(
        group=Group.BEFORE, gate="freeze", answer=GateAnswer.INCONCLUSIVE, because=EVIL
    )
    failed = unclear.model_copy(update={"gate": "floor", "answer": GateAnswer.FAILED})
    ended = b.outcome(gates=(unclear, failed))
    telling.ended(job, _with_summary(answer_of(ended), "### it ended"))
    assert outputs(job) == {
        "rollback_id": b.PARENT,
        "outcome": "verified",
        "report_url": f"https://rollback.example.com/{b.PARENT}/report",
        "exit_code": "0",
    }
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("::")[2].partition(" ")[0] for line in lines] == [
        "error",
        "warning",
        "notice",
    ]
    assert job.summary is not None
    assert job.summary.read_text() == "### it ended\n"


def test_a_rollback_that_failed_is_an_error_and_one_that_goes_on_is_none(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    telling.ended(job, answer_of(b.outcome(result=Result.NOT_VERIFIED, gates=())))
    assert capsys.readouterr().err.startswith("::error title=rollback/demo/inc-1 not verified")
    assert outputs(job)["exit_code"] == "5"
    telling.ended(job, going_on(b.PARENT, "not ended after 60 s"))
    assert capsys.readouterr().err.startswith("::warning title=the rollback continues")
    assert outputs(job)["outcome"] == "running"


def test_a_refusal_is_told_to_the_job_as_well(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    error = Blocked("it is frozen\n::error::x", effect="Nothing changed.", next_step="Wait | see")
    with pytest.raises(typer.Exit):
        console.refuse(error, as_json=False)
    talk = capsys.readouterr().err
    assert "::error title=refused (exit 7)::it is frozen%0A::error::x Nothing changed." in talk
    assert not re.search(r"^::error::x", talk, re.MULTILINE)
    assert outputs(job) == {
        "rollback_id": "",
        "outcome": "refused",
        "report_url": "",
        "exit_code": "7",
    }
    assert job.summary is not None
    assert "### Refused (exit 7)" in job.summary.read_text()


def test_a_summary_that_would_be_dropped_is_cut_to_its_head(job: Job) -> None:
    long = "### it ended\n\n<details>" + "x" * github.LARGEST_SUMMARY
    telling.ended(job, _with_summary(answer_of(b.outcome()), long))
    assert job.summary is not None
    text = job.summary.read_text()
    assert len(text) < 1000
    assert text.startswith("### it ended")
    assert f"rollback-manager report {b.PARENT}" in text


def test_the_lines_of_a_log_are_a_group(job: Job) -> None:
    log = io.StringIO()
    with view_of(log):
        pass
    assert log.getvalue().splitlines() == [
        "::group::the rollback, line by line",
        "::endgroup::",
    ]


def test_outside_of_a_job_nothing_is_added(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITLAB_CI", raising=False)
    console._write("::as it is", sys.stdout)
    assert capsys.readouterr().out == "::as it is\n"
    log = io.StringIO()
    with view_of(log):
        pass
    assert log.getvalue() == ""


def test_only_what_passed_passes_in_junit() -> None:
    answers = {str(answer): answer for answer in GateAnswer}
    gates = tuple(
        GateResult(group=Group.BEFORE, gate=name, answer=answer, because=f'{name} <&">\x1b[2J')
        for name, answer in answers.items()
    )
    suite = ElementTree.fromstring(junit.checks(b.PARENT, b.outcome(gates=gates), 0))  # noqa: S314
    found = {case.get("name"): [one.tag for one in case] for case in suite}
    assert found == {
        "passed": [],
        "failed": ["failure"],
        "inconclusive": ["skipped"],
        "not_applicable": ["skipped"],
        "shop": [],
        "outcome": [],
    }
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "1", "2")


def test_files_for_gitlab_are_written_and_a_value_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLBACK_GATEWAY", "https://rollback.example.com")
    answer = going_on(f"{b.PARENT}\nPATH=/evil", "not ended after 60 s")
    checks, variables = tmp_path / "out" / "junit.xml", tmp_path / "rollback.env"
    assert files.written(answer, checks, variables) is answer
    lines = variables.read_text().splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        "ROLLBACK_ID",
        "ROLLBACK_OUTCOME",
        "ROLLBACK_REPORT_URL",
        "ROLLBACK_EXIT_CODE",
    ]
    assert lines[1] == "ROLLBACK_OUTCOME=running"
    assert "skipped" in checks.read_text()


def _with_summary(answer: console.Answer, summary: str) -> console.Answer:
    return console.Answer(answer.text, answer.document, answer.code, summary)
