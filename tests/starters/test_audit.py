"""`audit verify` far from any database: an export, public keys, and a verdict."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rollback_manager.audit import Entry, anchored
from rollback_manager.audit.exported import head, line_of
from tests.chains import KEY, NOON, OTHER_KEY, chain

ROOT = Path(__file__).parents[2]


def exported(folder: Path, entries: list[Entry], *anchors: int) -> Path:
    made = [anchored(entries[number - 1], NOON, KEY) for number in anchors]
    file = folder / "export.jsonl"
    file.write_text(head() + "".join(map(line_of, made)) + "".join(map(line_of, entries)))
    return file


def verify(file: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """With no Temporal anywhere: exit code, document and talk."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ended = subprocess.run(
        [sys.executable, "-m", "rollback_manager", "audit", "verify", str(file), *more, "--json"],
        cwd=ROOT,
        env={**kept, "TEMPORAL_ADDRESS": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1]), ended.stderr


def test_an_export_is_verified_by_public_keys_without_a_server(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"# of the auditor\n{KEY.id} # since May\n{OTHER_KEY.id}\n")
    code, document, _ = verify(exported(tmp_path, chain(6), 2, 6), "--keys", str(keys))
    assert (code, document["holds"]) == (0, True)
    assert document["verdict"]["anchored"] == 6
    assert document["verdict"]["trusted"]


def test_a_cut_export_is_found_by_a_copy_of_the_second_place(tmp_path: Path) -> None:
    entries = chain(6)
    beside = tmp_path / "anchors.jsonl"
    lines = [anchored(entries[5], NOON, KEY).model_dump_json(), '{"seq": 7, "torn']
    beside.write_text("\n".join(lines))
    code, document, talk = verify(exported(tmp_path, entries[:4]), "--anchors", str(beside))
    assert (code, document["verdict"]["fault"], document["verdict"]["at"]) == (7, "truncated", 5)
    assert "DOES NOT HOLD" in talk


def test_an_export_alone_says_what_it_cannot_show(tmp_path: Path) -> None:
    code, document, _ = verify(exported(tmp_path, chain(3, OTHER_KEY)))
    assert (code, document["holds"]) == (0, True)
    assert (document["verdict"]["trusted"], document["verdict"]["anchored"]) == (False, 0)


@pytest.mark.parametrize(
    "text", ["", "{}\n", "no JSON\n", head() + "[]\n", head() + '{"entry": {"seq": 1}}\n']
)
def test_a_file_that_is_no_export_is_a_usage_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text(text)
    code, document, _ = verify(file)
    assert (code, document["error"]) == (2, "UsageError")
