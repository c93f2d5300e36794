"""The command line as a shell sees it: codes, the three parts, and an answer in time."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import typer

from demo.scenarios import SCENARIOS
from rollback_manager import errors
from rollback_manager.catalogue import json_schema
from rollback_manager.client.connection import is_loopback
from rollback_manager.contract import Planned
from rollback_manager.decision.facts import Action
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.rendering.layout import width
from rollback_manager.veil import VEIL
from rollback_manager.verbs import VERBS
from starters import doctor, naming, refusals
from starters.console import SECURITY_LINE
from tests import builders as b
from tests.rollback_manager.authority.test_catalogue_people import SECURED

ROOT = Path(__file__).parents[2]
OURS = sorted(verb for verb, where in VERBS.items() if where.module.startswith("starters."))
GROUPS = ("audit", "budget", "catalogue", "catalogue import", "decisions", "incident", "releases")
TALKING = (
    ["plan", "shop", "--env", "demo"],
    ["start", "shop", "--env", "demo", "--yes"],
    ["watch", b.PARENT],
    ["status", b.PARENT],
    ["list"],
    ["adopt", "shop", "--env", "demo", "--yes"],
    ["approve", b.PARENT, "--plan", "0123456789ab"],
    ["reject", b.PARENT, "--plan", "0123456789ab"],
    ["pause", b.PARENT],
    ["abort", b.PARENT, "--restore"],
    ["retry-step", b.PARENT, "drain"],
    ["report", b.PARENT],
    ["releases", "list", "shop", "--env", "demo"],
    ["incident", "show", "shop", "v2", "--env", "demo"],
    ["watch-releases", "--env", "demo"],
    ["decisions", "list", "--env", "demo"],
    ["audit", "show"],
    ["audit", "verify"],
)
BROKEN = """\
version: 1
environments:
  demo: {}
services:
  shop:
    strategy: blue_green
    enviroments: {}
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "rollback_manager", *arguments],
        cwd=ROOT,
        env={**kept, "TEMPORAL_ADDRESS": "127.0.0.1:1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def last_json(ended: subprocess.CompletedProcess[str]) -> dict[str, object]:
    document = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("verb", OURS)
def test_every_verb_has_help(verb: str) -> None:
    ended = run(verb, "--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"Usage: rollback-manager {verb} ")
    assert max(map(width, ended.stdout.splitlines())) <= 80


@pytest.mark.parametrize("verb", GROUPS)
def test_a_list_of_sub_verbs_says_each_in_whole_words(verb: str) -> None:
    ended = run(*verb.split(), "--help")
    listed = ended.stdout.partition("Commands:")[2]
    assert listed
    assert "..." not in listed


def test_help_names_the_eight_kinds_and_what_each_word_does() -> None:
    assert tuple(TriggerKind) == naming.TRIGGERS
    told = run("incident", "open", "--help").stdout
    assert all(kind in told for kind in TriggerKind)
    told = run("incident", "decide", "--help").stdout
    assert all(re.search(rf"^  {word}  +[a-z]", told, re.MULTILINE) for word in Action)


@pytest.mark.long
def test_the_demo_speaks_as_all_verbs_do() -> None:
    told = run("demo", "--help").stdout
    assert told.startswith("Usage: rollback-manager demo ")
    assert "─" not in told, "no boxes"
    ended = run("demo", "--scenario", "foo", "--json")
    assert (ended.returncode, last_json(ended)["error"]) == (2, "UsageError")
    assert all(name in str(last_json(ended)["what"]) for name in SCENARIOS)
    ended = run("demo", "--kubernetes", "--scenario", "silence", "--json")
    assert ended.returncode == 2
    assert "'silence' on Kubernetes; there are: error_rate" in str(last_json(ended)["what"])
    assert "production:  Production is unchanged by this call." in ended.stderr
    assert "next:        See how it is written: rollback-manager demo --help" in ended.stderr


@pytest.mark.parametrize("verb", OURS)
def test_help_imports_nothing_heavy(verb: str) -> None:
    module = VERBS[verb].module
    heavy = "{'temporalio', 'pydantic', 'rich', 'ruamel'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", "shop", "--no-such-option"],
        ["plan", "shop"],
        ["plan", "Not A Name", "--env", "demo"],
        ["start", "shop", "--env", "demo"],
        ["start", "shop", "--env", "demo", "--yes", "--evidence", "no-such-file.json"],
        ["watch", "not-an-id"],
        ["adopt", "shop", "--env", "demo"],
        ["approve", b.PARENT],
        ["releases"],
        ["releases", "mark", "shop", "v1", "fine", "--env", "demo"],
        ["catalogue", "check", "no-such-file.yaml"],
        ["incident", "open", "shop", "v2", "--env", "demo", "--trigger", "errors"],
        ["incident", "decide", "shop", "v2", "manual_review", "--env", "demo", "--reason", "x"],
        ["decisions", "label", "shop", "true"],
        ["decisions", "label", "incident/demo/shop/v2", "true", "--trigger", "data_corruption"],
        ["decisions", "label", "incident/demo/shop/v2", "late", "--onset", "14:00"],
        ["decisions", "model", "--use", "newest", "--env", "demo"],
        ["decisions", "replay", "--policy", "no-such-file.yaml", "--env", "demo"],
    ],
)
def test_a_usage_error_exits_with_2_and_changes_nothing(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert "production:  Production is unchanged by this call." in ended.stderr
    assert re.search(r"^next: +\S", ended.stderr, re.MULTILINE)
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [
        (["plan"], "plan"),
        (["incident"], "incident"),
        (["incident", "opne"], "incident"),
        (["incident", "open"], "incident open"),
        (["incident", "open", "shop", "v2", "--no-such-option"], "incident open"),
        (["catalogue", "import", "kayenta"], "catalogue import kayenta"),
    ],
)
def test_what_is_mistyped_points_to_the_help_of_just_that(arguments: list[str], verb: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    said = " ".join(ended.stderr.split())
    assert said.endswith(f"next: See how it is written: rollback-manager {verb} --help")
    assert run(*verb.split(), "--help").returncode == 0


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        ("catalogue check", 7),
        ("catalogue import kayenta", 2),
        ("catalogue import argo-analysis", 2),
        ("decisions replay --env demo --policy", 2),
    ],
)
def test_the_help_tells_the_code_for_a_broken_file(tmp_path: Path, verb: str, code: int) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("][")
    assert run(*verb.split(), str(file)).returncode == code
    named = verb.partition(" --")[0]
    assert f"Exit {code} where " in " ".join(run(*named.split(), "--help").stdout.split())


@pytest.mark.parametrize("arguments", TALKING, ids=lambda arguments: str(arguments[0]))
def test_without_temporal_every_verb_says_so_within_5_s(arguments: list[str]) -> None:
    ended = in_time(5, *arguments, "--json")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == SECURITY_LINE
    assert "error:       Temporal does not answer at 127.0.0.1:1" in ended.stderr
    assert "production:  Nothing was started by this call." in ended.stderr
    assert "rollback-manager serve" in ended.stderr
    document = last_json(ended)
    assert (document["security"], document["error"], document["exit_code"]) == (
        "local",
        "Unreachable",
        1,
    )


def in_time(within_s: float, *arguments: str) -> subprocess.CompletedProcess[str]:
    """On a machine that is busy: without what it takes there just to load the same code."""
    begun = time.monotonic()
    ended = run(*arguments)
    took_s = time.monotonic() - begun
    if took_s >= within_s:
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", "import rollback_manager.client"], check=True)
        took_s -= time.monotonic() - begun
    assert took_s < within_s
    return ended


def test_nothing_is_coloured_where_nobody_looks() -> None:
    ended = run("doctor", FORCE_COLOR="1")
    assert "\x1b" not in ended.stdout + ended.stderr


def test_an_ascii_terminal_does_not_break_it() -> None:
    ended = run("plan", "shop", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ended.returncode == 2
    assert "no environment is named" in ended.stderr


def test_an_address_that_is_none_is_told_as_such() -> None:
    ended = run("list", TEMPORAL_ADDRESS="not an address")
    assert ended.returncode == 1
    assert "set up wrongly" in ended.stderr


def test_doctor_is_useful_without_anything() -> None:
    ended = run("doctor", "--json")
    assert ended.returncode == 7
    told = last_json(ended)["checks"]
    assert isinstance(told, list)
    checks = {check["check"]: check for check in told}
    assert checks["Python"]["level"] == "ok"
    assert checks["Temporal"]["level"] == "fail"
    assert "rollback-manager serve" in checks["Temporal"]["next_step"]
    assert checks["sign-in"]["told"].startswith("off: ")


def test_doctor_tells_no_secret_that_an_error_repeats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = VEIL.remember("planted-secret-of-this-test")

    async def refused() -> None:
        raise Unreachable(f"Temporal says: no such key {secret}", next_step=f"Look at {secret}")

    monkeypatch.setattr("rollback_manager.client.connect", refused)
    for as_json in (False, True):
        with pytest.raises(typer.Exit):
            doctor.doctor(catalogue=None, kubernetes=False, as_json=as_json)
        told = "".join(capsys.readouterr())
        assert secret not in told
        assert "no such key ***" in " ".join(told.split())
    VEIL.forget(secret)


def test_doctor_tells_the_level_of_each_environment(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(SECURED.replace("environments:\n", "environments:\n  demo: {}\n", 1))
    checks = last_json(run("doctor", "--json", "--catalogue", str(file)))["checks"]
    assert isinstance(checks, list)
    told = [(one["level"], one["told"]) for one in checks if one["check"] == "security"]
    assert [(level, words.partition(":")[0]) for level, words in told] == [
        ("ok", "prod"),
        ("warn", "demo"),
    ]


def test_a_reader_who_has_left_is_no_error() -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m rollback_manager --help | true"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not ended.stderr


def test_a_broken_catalogue_is_refused_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(BROKEN)
    ended = run("catalogue", "check", str(file))
    assert ended.returncode == 7
    assert "broken.yaml:7: services.shop.enviroments" in ended.stderr
    assert "broken.yaml:5: services.shop.environments: is missing: write" in ended.stderr
    doctor = run("doctor", "--catalogue", str(file))
    assert "fail  catalogue" in doctor.stdout


def test_the_published_schema_is_that_of_the_code() -> None:
    published = (ROOT / "docs" / "catalogue.schema.json").read_text(encoding="utf-8")
    assert published == json_schema(), (
        "rollback-manager catalogue schema > docs/catalogue.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(json.loads(published))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StalePlan("x"), 9),
        (errors.Blocked("x"), 7),
        (errors.CatalogueError("x"), 7),
        (errors.NotFound("x"), 7),
        (refusals.UsageError("x"), 2),
        (errors.Unreachable("x"), 1),
        (errors.PermanentError("x"), 1),
    ],
)
def test_each_class_of_error_has_its_code(error: errors.RollbackError, code: int) -> None:
    assert refusals.EXIT_CODES.get(refusals.kind(error), 1) == code


def test_the_class_of_an_error_survives_its_way_through_temporal() -> None:
    from temporalio.exceptions import ApplicationError

    error = errors.PermanentError("it may not")
    error.__cause__ = RuntimeError("workflow failed")
    error.__cause__.__cause__ = ApplicationError("it may not", type="Blocked")
    assert refusals.kind(error) == "Blocked"


@pytest.mark.parametrize(
    ("word", "kind"),
    [("StalePlan", errors.StalePlan), ("", errors.Blocked), ("Unreachable", errors.Blocked)],
)
def test_a_plan_that_cannot_be_made_is_a_refusal(word: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="no verified release"):
        refusals.made(Planned(blocked_because="no verified release", error=word))


def test_every_refusal_has_all_three_parts() -> None:
    told = refusals.told(errors.PermanentError("it broke\nand \x1b[2Jwent on"))
    assert re.search(r"^error: +it broke$", told, re.MULTILINE)
    assert re.search(r"^production: +\S", told, re.MULTILINE)
    assert re.search(r"^next: +\S", told, re.MULTILINE)
    assert "\x1b" not in told


def test_a_new_key_is_a_name_and_never_the_same() -> None:
    keys = {naming.new_key("s" * 63) for _ in range(20)}
    assert len(keys) == 20
    assert all(naming.named("key", key) == key for key in keys)


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1:7233", True),
        ("localhost:7233", True),
        ("[::1]:7233", True),
        ("10.0.0.1:7233", False),
        ("temporal:7233", False),
        ("localhost.example:7233", False),
    ],
)
def test_only_this_machine_is_loopback(address: str, here: bool) -> None:
    assert is_loopback(address) is here
