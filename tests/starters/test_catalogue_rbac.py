"""`catalogue rbac`: what the catalogue names and no more; the example of deploy/ is made by it."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy/kubernetes"
EXAMPLE = DEPLOY / "catalogue.yaml"


def rbac(*words: str, file: Path = EXAMPLE) -> subprocess.CompletedProcess[str]:
    """The command as a shell runs it, without any server."""
    return subprocess.run(
        [sys.executable, "-m", "rollback_manager", "catalogue", "rbac", str(file), *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
    )


def objects(text: str) -> list[dict[str, Any]]:
    """Every document of a manifest."""
    return list(YAML(typ="safe", pure=True).load_all(StringIO(text)))


def test_the_shipped_roles_are_those_of_the_shipped_catalogue() -> None:
    """Who changes one of the two is told to change the other."""
    made = rbac("--env", "prod")
    assert made.returncode == 0, made.stderr
    assert made.stdout == (DEPLOY / "namespaces/roles.yaml").read_text()


def test_nothing_is_written_without_a_name() -> None:
    """And what is granted can be counted: get and list to look, patch to act."""
    roles = [one for one in objects(rbac("--env", "prod").stdout) if one["kind"] == "Role"]
    assert [one["metadata"]["namespace"] for one in roles] == ["orders", "shop"]
    for rule in (rule for role in roles for rule in role["rules"]):
        assert set(rule["verbs"]) <= {"get", "list", "watch", "patch"}
        assert rule["verbs"][0] == "list" or rule["resourceNames"]
        assert not {"secrets", "*"} & {*rule["resources"], *rule["apiGroups"]}


def test_another_account_is_bound_where_it_is_named() -> None:
    """A worker outside of the cluster comes as somebody else."""
    made = objects(rbac("--env", "prod", "--account", "ops/robot").stdout)
    subjects = [one["subjects"] for one in made if one["kind"] == "RoleBinding"]
    assert subjects == [[{"kind": "ServiceAccount", "namespace": "ops", "name": "robot"}]] * 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--env", "prod", "--cluster", "other"], "not in the cluster other"),
        (["--env", "stage"], "no cluster of Kubernetes"),
        (["--env", "prod", "--account", "robot"], "names no ServiceAccount"),
        ([], "no environment is named"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], told: str) -> None:
    """With exit code 2 and nothing on stdout that somebody might apply."""
    refused = rbac(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr


def test_of_two_clusters_one_must_be_named(tmp_path: Path) -> None:
    """Rights for the other one would be too much there."""
    text = EXAMPLE.read_text().replace(
        "  main:\n", "  far: {kubeconfig: /etc/far, context: far}\n  main:\n", 1
    )
    text = text.replace("cluster: main, namespace: orders", "cluster: far, namespace: orders")
    (tmp_path / "two.yaml").write_text(text)
    refused = rbac("--env", "prod", file=tmp_path / "two.yaml")
    assert refused.returncode == 2
    assert "2 clusters: far, main" in refused.stderr
    made = rbac("--env", "prod", "--cluster", "far", file=tmp_path / "two.yaml")
    assert {one["metadata"]["namespace"] for one in objects(made.stdout)} == {"orders"}
