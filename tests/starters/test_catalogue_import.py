"""`catalogue import` as a shell sees it: paste what it prints, and the catalogue is accepted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import ANALYSIS, CATALOGUE, analysis, canary_config, metric, pasted, text

ROOT = Path(__file__).parents[2]
SMALL = analysis("interval: 1m", "failureLimit: 2", "successCondition: result[0] < 0.04")
FRAGMENT = """\
        # analysis of Argo Rollouts: t.
        # Belongs under services.SERVICE.environments.ENV, beside workloads and traffic.
        # role: advises is shown beside our own tests; role: alarms opens incidents, too.
        judges:
          - kind: argo
            name: t
            role: advises
            metrics:
              - name: m
                signal: error_ratio
                success: result < 0.04
                failures: 2
        # Where a Prometheus counts it, as far as the queries say; left out, the proxy counts.
        # metrics:
        #   kind: prometheus
        #   url: http://p.example.com
        #   requests: http_requests_total
        #   errors:
        #     kind: metric
        #     metric: http_errors_total
        #   service_label: FILL_IN
        #   version_label: FILL_IN
        #   The label of versions has the version as `releases record` names it.
        # From that size on a regression is acted on by itself as far as the trigger allows;
        # the default is higher. It would hold for every service, at environments.ENV:
        #   decisions:
        #     limits:
        #       error_ratio: 0.04
"""
TOLD = """\
analysis of Argo Rollouts: what became of it
taken over     line 6: t/m: share of failed requests of http_requests_total,
               result < 0.04, every 1 min, 2 may fail
approximated   line 6: t/m: failed there: http_errors_total; at the proxy 5xx,
               unless metrics: says otherwise
               line 6: t/m: counts over the whole run there; here over 360 min
not imported   metrics: a comment only: the file does not say service_label,
               version_label; until it is filled in the proxy counts
Paste it, then: rollback-manager catalogue check FILE
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "rollback_manager", "catalogue", *arguments],
        cwd=ROOT,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def kept(folder: Path, content: str, name: str = "export") -> str:
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return str(file)


def test_the_fragment_is_the_result_and_the_table_is_talk(tmp_path: Path) -> None:
    ended = run("import", "argo-analysis", kept(tmp_path, SMALL))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, FRAGMENT, TOLD)


@pytest.mark.parametrize(
    ("verb", "content"),
    [
        ("kayenta", text(canary_config())),
        ("kayenta", text({"canaryConfig": canary_config()})),
        ("argo-analysis", ANALYSIS),
        ("argo-analysis", SMALL),
    ],
)
def test_what_was_imported_and_pasted_is_accepted(tmp_path: Path, verb: str, content: str) -> None:
    imported = run("import", verb, kept(tmp_path, content))
    assert imported.returncode == 0, imported.stderr
    catalogue = kept(tmp_path, pasted(imported.stdout), "catalogue.yaml")
    checked = run("check", catalogue)
    assert checked.returncode == 0, checked.stderr
    assert CATALOGUE in pasted(imported.stdout)


def test_with_json_everything_stands_in_one_object(tmp_path: Path) -> None:
    file = kept(tmp_path, SMALL)
    ended = run("import", "argo-analysis", file, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    document = json.loads(ended.stdout.splitlines()[-1])
    assert (document["file"], document["judges"], document["business"]) == (file, 1, 0)
    assert document["fragment"] == FRAGMENT.removesuffix("\n")
    assert document["lines"][0] == {
        "where": "line 6: t/m",
        "fate": "taken over",
        "says": "share of failed requests of http_requests_total, result < 0.04, every 1 min,"
        " 2 may fail",
    }


@pytest.mark.parametrize(
    ("verb", "content", "code", "what"),
    [
        ("kayenta", "", 2, "the file is empty"),
        ("kayenta", "{", 2, "no JSON"),
        ("argo-analysis", "a: [", 2, "no YAML"),
        ("argo-analysis", "kind: Rollout\n", 2, "only Rollout"),
        (
            "kayenta",
            text(canary_config(metric("cpu", "up"))),
            7,
            "nothing in it can be judged here",
        ),
        ("kayenta", " " * 1_000_001, 2, "larger than 1 MB"),
        ("argo-analysis", "a" * 1_000_001, 2, "larger than 1 MB"),
    ],
)
def test_what_cannot_be_imported_has_its_code_and_three_parts(
    tmp_path: Path, verb: str, content: str, code: int, what: str
) -> None:
    ended = run("import", verb, kept(tmp_path, content))
    assert (ended.returncode, ended.stdout) == (code, "")
    assert what in " ".join(ended.stderr.split())
    assert "production:  Nothing was written; production is unchanged." in ended.stderr or (
        "production:  Production is unchanged by this call." in ended.stderr
    )
    assert "\nnext:" in ended.stderr


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    for file in (str(tmp_path), str(tmp_path / "none.json")):
        ended = run("import", "kayenta", file, "--json")
        assert ended.returncode == 2
        assert json.loads(ended.stdout)["error"] == "UsageError"
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    assert "it is not UTF-8 text" in run("import", "kayenta", str(tmp_path / "latin")).stderr


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("\ufeff" + text(canary_config()), encoding="utf-8")
    assert run("import", "kayenta", str(tmp_path / "c.json")).returncode == 0


def test_neither_an_import_nor_the_catalogue_needs_numpy() -> None:
    """The base install has none."""
    code = (
        "import sys; sys.modules['numpy'] = None;"
        "import rollback_manager.importing.argo, rollback_manager.importing.kayenta,"
        " rollback_manager.catalogue_text"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_both_verbs_have_help_that_fits() -> None:
    for verb in ([], ["kayenta"], ["argo-analysis"]):
        ended = run("import", *verb, "--help")
        assert ended.returncode == 0
        assert max(map(len, ended.stdout.splitlines())) <= 80
