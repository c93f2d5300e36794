"""The scoring of labelled sets, on a handful of rows that are made here."""

import gzip
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.score.cloud_monitoring import score_cloud_monitoring
from benchmarks.score.nab import score_nab
from benchmarks.score.petshop import score_petshop
from benchmarks.score.series import labelled_watches, quiet_watches, read_series
from benchmarks.score_data import main

APP = typer.Typer()
APP.command()(main)
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


def write_series(folder: Path, step_s: int, days: int, trouble: tuple[int, int]) -> None:
    """A daily wave of about a thousand; halved, and labelled, between two steps."""
    folder.mkdir(parents=True)
    steps = days * 86_400 // step_s
    times = [BEGIN + timedelta(seconds=step_s * n) for n in range(steps)]
    wave = [1000 + 200 * math.sin(2 * math.pi * n * step_s / 86_400) for n in range(steps)]
    scatter = np.random.default_rng(1).normal(0, 10, steps)
    rows = [
        f"{at:%Y-%m-%d %H:%M:%S},{(value + noise) * (0.4 if trouble[0] <= n <= trouble[1] else 1)}"
        for n, (at, value, noise) in enumerate(zip(times, wave, scatter, strict=True))
    ]
    with gzip.open(folder / "one.csv.gz", "wt") as file:
        file.write("\n".join(["timestamp,value", *rows]))
    window = [f"{times[n]:%Y-%m-%d %H:%M:%S}" for n in trouble]
    about = {"series": "one", "group": "rate", "step_s": step_s, "windows": [window]}
    (folder / "one.labels.json").write_text(json.dumps(about))


@pytest.fixture
def nab(tmp_path: Path) -> Path:
    write_series(tmp_path / "nab", 300, days=9, trouble=(8 * 288 + 100, 8 * 288 + 112))
    return tmp_path


def test_quiet_watches_keep_away_from_labels_and_labelled_ones_lie_in_them(nab: Path) -> None:
    (series,) = read_series(nab / "nab")
    assert all((watch.watched > 700).all() for watch in quiet_watches(series, 200, seed=1))
    assert all((one.watched < 700).any() for one in labelled_watches(series, series.labels[0]))


def test_rules_are_counted_away_from_labels_and_in_them(nab: Path) -> None:
    figures = score_nab(nab, watches=20)
    assert figures is not None
    for name in ("shipped: throughput floor, 50 %", "seed: fall of 50 %"):
        rule = figures["rules"][name]
        assert rule["false"]["hits"] == 0
        assert (rule["labels_found"], rule["labels"]) == (1, 1)


def test_drops_are_found_at_the_rules_own_false_share(tmp_path: Path) -> None:
    write_series(tmp_path / "cloud-monitoring", 60, days=9, trouble=(20, 30))
    figures = score_cloud_monitoring(tmp_path, watches=20)
    assert figures is not None
    floor = figures["rules"]["shipped: business floor, 20 %"]
    assert floor["false"]["hits"] == 0
    assert floor["drops"]["35%"] == {"found_percent": 100.0, "median_min": 3.0}
    assert figures["rules"]["seed: fall of 50 %"]["drops"]["20%"]["median_min"] is None


def write_petshop(folder: Path, errors_at_node: float) -> None:
    folder.mkdir()
    onset = 600
    rows = ["issue,timestamp,node,metric,value"]
    for at in range(0, 1500, 300):
        bad = errors_at_node if at >= onset else 0
        for node, failed in (("front", bad / 10), ("inner", bad)):
            rows += [
                f"i,{at},{node},requests_sum,200",
                f"i,{at},{node},availability_avg,{100 - failed}",
                f"i,{at},{node},latency_p95,0.1",
            ]
    with gzip.open(folder / "issues.csv.gz", "wt") as file:
        file.write("\n".join(rows))
    issue = {"id": "i", "onset": onset, "first": 0, "last": 1200}
    issue |= {"target_node": "front", "target_metric": "availability_avg"}
    (folder / "index.json").write_text(json.dumps({"issues": [issue]}))


def test_a_fault_is_looked_for_at_the_front_and_at_the_node_that_changed(tmp_path: Path) -> None:
    write_petshop(tmp_path / "petshop", errors_at_node=20)
    figures = score_petshop(tmp_path)
    assert figures is not None
    for name in ("seed: errors > 10 %", "shipped: sequential, errors", "shipped: static 3 of 5"):
        places = figures["tests"][name]
        assert (places["front"]["found"], places["most changed"]["found"]) == (0, 1), name
        assert places["front"]["false"] is None, "there is no fault-free run to count in"


def test_a_set_that_is_not_there_is_said_to_be_missing(nab: Path) -> None:
    told = CliRunner().invoke(APP, ["--json", "--data", str(nab)])
    figures = json.loads(told.stdout.splitlines()[-1])
    assert figures["missing"] == ["kayenta", "argo", "petshop", "cloud-monitoring"]
    assert figures["petshop"] is None
    assert "petshop: not scored, for" in told.stderr


def test_an_empty_folder_is_no_pass(tmp_path: Path) -> None:
    assert CliRunner().invoke(APP, ["--json", "--data", str(tmp_path)]).exit_code == 1
