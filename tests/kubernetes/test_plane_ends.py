"""How the control plane begins badly and ends: nothing of it outlives whoever started it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from demo.errors import WorldError
from demo.kubernetes import binaries
from demo.kubernetes.binaries import API_SERVER, Programs
from demo.kubernetes.control_plane import ControlPlane
from demo.processes import is_running
from tests.kubernetes import objects as o

ROOT = Path(__file__).parent.parent.parent
STARTED = """
import asyncio, json, sys, time
from pathlib import Path
from demo.kubernetes import binaries
from demo.kubernetes.control_plane import ControlPlane
with ControlPlane(asyncio.run(binaries.find(print)), Path(sys.argv[1])) as plane:
    print(json.dumps(plane.pids()), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def programs() -> Programs:
    return asyncio.run(binaries.find(print))


def test_a_part_that_ends_is_told_of_at_once_with_its_log(
    programs: Programs, tmp_path: Path
) -> None:
    commands = {**programs.commands, API_SERVER: ("sh", "-c", "echo no such flag; exit 3", "sh")}
    plane, began = ControlPlane(replace(programs, commands=commands), tmp_path), time.monotonic()
    with pytest.raises(WorldError, match="kube-apiserver ended with 3:\nno such flag"), plane:
        pass
    assert time.monotonic() - began < 10
    assert plane.pids() == {}


def test_a_killed_test_leaves_nothing_behind(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTED, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert starter.stdout is not None
    with starter, starter.stdout:
        line = next(line for line in starter.stdout if line.startswith("{"))
        starter.send_signal(signal.SIGKILL)
    pids: dict[str, int] = json.loads(line)
    assert set(pids) == set(binaries.PARTS)
    try:
        o.until(lambda: [pid for pid in pids.values() if is_running(pid)], lambda left: not left)
    finally:
        for pid in pids.values():
            if is_running(pid, str(tmp_path)):
                os.kill(pid, signal.SIGKILL)
