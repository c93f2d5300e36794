"""`rollback-manager demo --kubernetes`, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.timeout(420)
def test_a_bad_release_is_noticed_and_taken_back(tmp_path: Path) -> None:
    words = ["demo", "--kubernetes", "--json", "--out", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "rollback_manager", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert (found["from"], found["to"], found["outcome"]) == ("v2", "v1", "verified")
    told = found["requests"]
    assert told["failed_before"] > 0
    assert (told["failed_during_rollback_by_us"], told["failed_after"]) == (0, 0)
    assert found["min_ready"] >= found["floor"]
    assert all(word in ended.stderr for word in ("stand-ins: the nodes", "kubectl --kubeconfig"))
