"""`doctor` asks the worker for what the catalogue declares, and tells it in words."""

import json
import subprocess
import sys
from pathlib import Path

from starters.checkup import Finding, Level
from starters.doctor_sources import _shortened
from tests import rig
from tests.commands import ROOT
from tests.workers.test_serve import made

NOWHERE = {
    "kind": "prometheus",
    "url": "http://127.0.0.1:9",
    "requests": "requests_total",
    "errors": {"kind": "label", "label": "code", "matches": "5.."},
}


def test_a_declared_prometheus_that_is_not_there_is_told_and_is_something_to_do(
    tmp_path: Path,
) -> None:
    machine = made(tmp_path)
    tree = rig.catalogue("shop", {}).model_dump(mode="json")
    tree["services"]["shop"]["environments"]["test"]["metrics"] = NOWHERE
    file = tmp_path / "catalogue.yaml"
    file.write_text(json.dumps(tree))
    with machine.running("serve"):
        ended = doctor(machine.address, file)
    assert ended.returncode == 7
    checks = json.loads(ended.stdout.splitlines()[-1])["checks"]
    one = next(one for one in checks if one["check"] == "metrics")
    assert one["level"] == "fail"
    assert "Prometheus at http://127.0.0.1:9 does not answer" in one["told"]
    assert "curl http://127.0.0.1:9/-/ready" in one["next_step"]


def doctor(address: str, catalogue: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rollback_manager", "doctor", "--json"]
    return subprocess.run(
        [*command, "--catalogue", str(catalogue)],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "TEMPORAL_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_many_that_are_well_are_one_line_and_those_that_are_not_stay() -> None:
    well = [Finding("metrics", Level.OK, str(number)) for number in range(4)]
    bad = Finding("metrics", Level.FAIL, "down")
    assert _shortened([*well, bad]) == [
        bad,
        Finding("sources", Level.OK, "4 more answer as they should"),
    ]
    assert _shortened([*well[:3], bad]) == [*well[:3], bad]
