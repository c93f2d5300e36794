"""The action and GitLab's template: their own shell, run in the environment that CI gives."""

import asyncio
import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from ruamel.yaml import YAML
from temporalio.client import Client

from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.release import Standing
from tests import encrypted, rig
from tests.incident_rig import end_budget
from tests.rig import Rig

ROOT = Path(__file__).parents[3]
ACTION = YAML(typ="safe").load((ROOT / "action.yml").read_text())
GITLAB = YAML(typ="safe").load((ROOT / "deploy" / "ci" / "gitlab.yml").read_text())
DOCUMENT = (ROOT / "docs" / "ci.md").read_text()
INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")
OUTPUT = re.compile(r"^(\w+)(?:<<(\S+)\n(.*?)\n\2|=([^\n]*))$", re.MULTILINE | re.DOTALL)
SHA = re.compile(r"[^@\s]+@[0-9a-f]{40}")
PATIENCE_S = 60
EVIL = ("$(touch pwned)", "`touch pwned`", "; touch pwned", "x\ntouch pwned", '" && touch pwned "')


def blocks(kind: str) -> list[str]:
    """The document's blocks of YAML that are marked so."""
    return re.findall(rf"^```yaml {kind}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def run_step() -> dict[str, Any]:
    (step,) = [one for one in ACTION["runs"]["steps"] if one.get("id") == "run"]
    found: dict[str, Any] = step
    return found


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A workspace with our command on its path, as the step that installs it leaves it."""
    command = tmp_path / "bin" / "rollback-manager"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rollback_manager "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "workspace").mkdir()
    return tmp_path


async def shell(runner: Path, script: str, env: dict[str, str]) -> tuple[int, str]:
    """As both CI systems run a script of several lines; code and log, which grows in a file."""
    log = runner / "log"
    with log.open("wb") as told:
        code = await _run(runner, script, env, told)
    return code, log.read_text()


async def _run(runner: Path, script: str, env: dict[str, str], told: BinaryIO) -> int:
    process = await asyncio.create_subprocess_exec(
        *("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script),
        cwd=runner / "workspace",
        env={
            "PATH": f"{runner / 'bin'}:{os.environ['PATH']}",
            "HOME": str(runner),
            "PYTHONPATH": str(ROOT),
            **env,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=told,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        return await asyncio.wait_for(process.wait(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()


async def act(
    runner: Path, server: dict[str, str], **inputs: str
) -> tuple[int, str, dict[str, str]]:
    """The action's own step with these inputs: code, log and outputs."""
    given = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()} | {
        name.replace("_", "-"): value for name, value in inputs.items()
    }
    env = {
        name: INPUT.sub(lambda found: given[found[1]], value).replace(
            "${{ runner.temp }}", str(runner)
        )
        for name, value in run_step()["env"].items()
    }
    output = runner / "output"
    output.write_text("")
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": runner.name,
        "GITHUB_JOB": "deploy",
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(runner / "summary"),
    }
    code, log = await shell(runner, run_step()["run"], {**server, **github, **env})
    found = OUTPUT.findall(output.read_text())
    return code, log, {name: text or plain for name, _, text, plain in found}


@pytest.fixture
async def made(client: Client, tmp_path: Path) -> AsyncIterator[Rig]:
    await end_budget(client)
    async with rig.rig(client, tmp_path, cached=1000) as one:
        yield one
    await end_budget(client)


def server(made: Rig) -> dict[str, str]:
    return {
        "TEMPORAL_ADDRESS": made.client.service_client.config.target_host,
        "ROLLBACK_TASK_QUEUE": made.settings.task_queue,
        **encrypted.setting(),
    }


async def test_the_action_rolls_back_and_a_rerun_finds_the_same_rollback(
    made: Rig, runner: Path
) -> None:
    ours = {"services": made.service, "environment": "test", "reason": "smoke $(touch pwned)"}
    ours["confirm"] = made.service
    code, log, outputs = await act(runner, server(made), **ours)
    assert code == 0, log
    assert (outputs["outcome"], outputs["exit_code"]) == ("verified", "0")
    assert outputs["rollback_id"].startswith("rollback/test/ci-shop-")
    summary = (runner / "summary").read_text()
    assert summary.startswith("### ")
    assert "(exit 0)" in summary.splitlines()[0]
    assert "<details>" in summary
    lines = log.splitlines()
    assert lines.index("::group::the rollback, line by line") < lines.index("::endgroup::")
    assert any(line.startswith("::notice title=rollback/test/ci-shop-") for line in lines)
    assert not (runner / "workspace" / "pwned").exists()

    again = await act(runner, server(made), **ours)
    assert (again[0], again[2]["rollback_id"]) == (0, outputs["rollback_id"])
    assert len(made.world.ledger) == len(set(made.world.ledger))

    code, log, outputs = await act(
        runner, server(made), verb="may-deploy", version="v2", services=made.service,
        environment="test",
    )  # fmt: skip
    assert (code, outputs["exit_code"]) == (7, "7"), log
    assert "v2 is bad: undone by\n  rollback/test/ci-shop-" in log


async def test_the_action_records_a_release(made: Rig, runner: Path) -> None:
    recorded = {"services": made.service, "environment": "test", "version": "v1"}
    made.records.mark_release("test", made.service, "v1", Standing.CANDIDATE, "", None)
    code, log, outputs = await act(runner, server(made), verb="record", **recorded)
    assert (code, outputs["exit_code"]) == (0, "0"), log


@pytest.mark.parametrize(
    ("verb", "name"),
    [("start", "services"), ("start", "timeout"), ("may-deploy", "version"), ("nothing", "verb")],
)
async def test_no_input_is_a_word_for_the_shell_or_an_option(
    runner: Path, verb: str, name: str
) -> None:
    nowhere = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    evil = " ".join(EVIL) + " --help"
    inputs = {"verb": verb, "services": "shop", "environment": "prod", name: evil}
    code, log, outputs = await act(runner, nowhere, **inputs)
    assert (code, outputs["exit_code"]) == (2, "2"), log
    assert "Usage: rollback-manager" not in log
    assert not (runner / "workspace" / "pwned").exists()


async def test_gitlabs_job_leaves_its_checks_and_its_variables(made: Rig, runner: Path) -> None:
    job = GITLAB[".rollback"]
    gitlab = {
        "GITLAB_CI": "true",
        "CI_PROJECT_PATH": "acme/shop",
        "CI_PIPELINE_ID": runner.name,
        "CI_JOB_NAME": "roll back",
        "ROLLBACK_SERVICE": made.service,
        "ROLLBACK_ENV": "test",
        "ROLLBACK_CONFIRM": made.service,
        "ROLLBACK_REASON": "; touch pwned",
        "ROLLBACK_TIMEOUT": GITLAB["variables"]["ROLLBACK_TIMEOUT"]["value"],
    }
    code, log = await shell(runner, "\n".join(job["script"]), {**server(made), **gitlab})
    assert code == 0, log
    reports = job["artifacts"]["reports"]
    left = runner / "workspace"
    assert '<testcase name="outcome"' in (left / reports["junit"]).read_text()
    assert "ROLLBACK_OUTCOME=verified" in (left / reports["dotenv"]).read_text()
    assert not (left / "pwned").exists()
    assert job["allow_failure"] == {"exit_codes": [8]}


def test_expressions_stand_in_the_environment_alone() -> None:
    used: list[str] = []
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], step["name"]
        used += [found for value in step["env"].values() for found in INPUT.findall(value)]
    assert sorted(used) == sorted(ACTION["inputs"]), "every input is used, and used once"


def test_every_output_is_one_that_the_step_writes() -> None:
    wanted = {one["value"] for one in ACTION["outputs"].values()}
    assert wanted == {f"${{{{ steps.run.outputs.{name} }}}}" for name in ACTION["outputs"]}
    assert list(ACTION["outputs"]) == ["rollback_id", "outcome", "report_url", "exit_code"]


def test_the_example_allows_nothing_by_default_and_pins_what_it_uses() -> None:
    (text,) = blocks("github")
    workflow = YAML(typ="safe").load(text)
    assert workflow["permissions"] == {}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(SHA.fullmatch(step["uses"]) for step in steps if "uses" in step)
    assert not any("${{" in step.get("run", "") for step in steps)
    for step in steps:
        if "rollback-manager" in step.get("uses", ""):
            assert set(step["with"]) <= set(ACTION["inputs"])
            assert {name for name, one in ACTION["inputs"].items() if one.get("required")} <= set(
                step["with"]
            )


def test_the_documents_catalogue_can_be_read() -> None:
    windows, jobs = blocks("catalogue")
    place = """\
    strategy: blue_green
    environments:
      prod:
        workloads: {kind: supervisord, socket: /x, program: x}
        traffic: {kind: envoy, admin: "http://127.0.0.1:1", routes: /x, route: x}
"""
    found = read_catalogue(f"version: 1\n{windows}{jobs}{place}")
    assert found.environments["prod"].freezes
    assert len(found.services["shop"].ci) == 2


def test_zizmor_finds_nothing_in_the_action_and_in_the_example(tmp_path: Path) -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    assert zizmor.exists(), "pip install zizmor"
    workflow = tmp_path / ".github" / "workflows" / "deploy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(blocks("github")[0])
    ended = subprocess.run(
        [zizmor, "--offline", "--no-progress", ROOT / "action.yml", workflow],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
