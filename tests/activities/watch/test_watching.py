"""The long activity: one silent or broken service delays and blinds none of the others."""

import threading
import time
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.targets import Target
from activities.watch import watching
from activities.watch.watching import WatchActivities
from proof.stand_ins import StandInService
from rollback_manager.catalogue import Catalogue
from rollback_manager.errors import PermanentError
from rollback_manager.release import Standing
from rollback_manager.watch.watching import Trouble, Watch
from tests import rig
from tests.activities.watch.traffic_world import Remembered

HALF = {"v1": 50, "v2": 50}


def catalogue(*services: str) -> Catalogue:
    alone = [rig.catalogue(name, {}) for name in services]
    every = {name: one.services[name] for name, one in zip(services, alone, strict=True)}
    return alone[0].model_copy(update={"services": every})


def records(folder: Path, *services: str) -> SqlRecords:
    engine = engine_for(f"sqlite:///{folder / 'records.sqlite'}")
    upgrade(engine)
    known = SqlRecords(engine)
    for name in services:
        known.save_release("test", name, rig.release("v1", Standing.VERIFIED, 60))
        known.save_release("test", name, rig.release("v2", Standing.CANDIDATE, 0))
    return known


def world() -> StandInService:
    return StandInService(shares_now=dict(HALF), running={"v1": 3, "v2": 3})


def names(watch: Watch) -> list[str]:
    return [one.service for one in watch.releases]


def test_a_silent_target_and_one_that_does_not_exist_blind_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 0.3)
    monkeypatch.setattr(watching, "STANDS_S", 0.0)
    well, answers = world(), threading.Event()

    def target(_env: str, service: str) -> Target:
        if service == "silent":
            answers.wait(20)
        if service == "gone":
            raise PermanentError("the catalogue names no such target")
        return well.target()

    one = WatchActivities(
        catalogue("shop", "silent", "gone"),
        records(tmp_path, "shop", "silent", "gone"),
        target,
        Remembered(),
    )
    began = time.monotonic()
    seen = ActivityEnvironment().run(one.watch_releases, Watch(env="test"))
    took = time.monotonic() - began
    answers.set()
    assert names(seen) == ["shop"]
    assert seen.trouble == (
        Trouble(service="silent", because="it does not answer"),
        Trouble(service="gone", because="the catalogue names no such target"),
    )
    assert took < 15  # of the 20 that one is silent


def test_more_services_than_threads_are_all_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look must not wait for reads of its own in the pool in which it runs."""
    monkeypatch.setattr(watching, "WATCHERS", 2)
    monkeypatch.setattr(watching, "PATIENCE_S", 20.0)
    services = [f"s{number}" for number in range(40)]
    well = world()
    one = WatchActivities(
        catalogue(*services),
        records(tmp_path, *services),
        lambda _e, _s: well.target(),
        Remembered(),
    )
    seen = ActivityEnvironment().run(one.watch_releases, Watch(env="test"))
    assert names(seen) == services


def test_it_beats_in_every_round_and_goes_on_until_something_else_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "EVERY_S", 0.05)
    well = world()
    beats: list[float] = []
    one = WatchActivities(
        catalogue("shop"), records(tmp_path, "shop"), lambda _e, _s: well.target(), Remembered()
    )
    environment = ActivityEnvironment()
    first = environment.run(one.watch_releases, Watch(env="test"))
    assert first.looked

    def beat(*_: object) -> None:
        beats.append(time.monotonic())
        if len(beats) == 8:
            well.shares_now = {"v2": 100}

    environment.on_heartbeat = beat
    then = environment.run(one.watch_releases, first)
    assert len(beats) >= 8
    assert [one.beside for one in then.releases] == [""]


def test_a_target_that_is_away_for_a_moment_changes_nothing_that_history_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "EVERY_S", 0.05)
    well, away = world(), threading.Event()

    def target(_env: str, _service: str) -> Target:
        if away.is_set():
            raise PermanentError("away")
        return well.target()

    one = WatchActivities(catalogue("shop"), records(tmp_path, "shop"), target, Remembered())
    environment = ActivityEnvironment()
    first = environment.run(one.watch_releases, Watch(env="test"))
    beats: list[int] = []

    def beat(*_: object) -> None:
        beats.append(0)
        away.set() if len(beats) % 2 else away.clear()
        if len(beats) > 20:
            environment.cancel()

    environment.on_heartbeat = beat
    assert environment.run(one.watch_releases, first) is first
    assert len(beats) > 20, "it was ended, and did not end by itself"


def test_a_round_of_one_environment_waits_for_no_other(tmp_path: Path) -> None:
    known = catalogue("shop")
    both = known.model_copy(
        update={"environments": {**known.environments, "other": known.environments["test"]}}
    )
    one = WatchActivities(
        both, records(tmp_path, "shop"), lambda *_: world().target(), Remembered()
    )
    with one._rounds["test"]:
        began = time.monotonic()
        assert one._look("other").looked
        assert time.monotonic() - began < 20


def test_a_look_that_hangs_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 1.5)
    well, answers = world(), threading.Event()

    def target(_env: str, service: str) -> Target:
        if service == "silent":
            answers.wait(20)
        return well.target()

    names = ("shop", "silent")
    one = WatchActivities(catalogue(*names), records(tmp_path, *names), target, Remembered())
    one._look("test")
    began = time.monotonic()
    for _ in range(4):
        one._look("test")
    took = time.monotonic() - began
    answers.set()
    assert took < watching.PATIENCE_S, "not one of four rounds waited again"
