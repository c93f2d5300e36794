"""The small real world: real Envoy, real supervisord, real instances, real load."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import envoy_admin, processes, world
from demo.errors import WorldError
from demo.load import Load
from demo.processes import is_running, with_parent
from demo.world import World

ends_with_parent = pytest.mark.skipif(not with_parent(), reason="needs setpriv (util-linux)")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for a Unix socket goes into it; pytest's own is often too long."""
    with tempfile.TemporaryDirectory(prefix="rb-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    """A shop of which v1 has two instances and all of the traffic, and v2 two and none."""
    with tempfile.TemporaryDirectory(prefix="rb-") as name, World(Path(name)) as small:
        small.add_version("v1", instances=2)
        small.add_version("v2", instances=2)
        yield small


@pytest.fixture(autouse=True)
def from_the_start(shop: World) -> None:
    shop.set_shares({"v1": 100, "v2": 0}, f"before-{time.monotonic_ns()}")


def admin_port(shop: World) -> int:
    return int(shop.admin_url.rpartition(":")[2])


def answered_by(shop: World, version: str) -> int:
    """Envoy's own count of the answers of a version."""
    name = rf"cluster\.shop-{version}\.upstream_rq_completed"
    return sum(map(int, envoy_admin.stats(admin_port(shop), name).values()))


def within(timeout_s: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def living(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if is_running(pid)]


def test_traffic_moves_there_and_back_without_a_failure(shop: World, tmp_path: Path) -> None:
    before = answered_by(shop, "v1"), answered_by(shop, "v2")
    with Load(shop.front_url, tmp_path / "load.jsonl", rate=200) as load:
        assert within(5, lambda: load.summary().total > 20)
        for share in (50, 100, 30, 0):
            shop.set_shares({"v1": 100 - share, "v2": share}, f"deploy-{share}")
            time.sleep(0.3)
    seen = load.summary()
    assert (seen.by_us, seen.failed, seen.unsent) == (0, {}, 0)
    assert shop.shares() == {"v1": 100, "v2": 0}
    assert seen.count == {
        "v1": answered_by(shop, "v1") - before[0],
        "v2": answered_by(shop, "v2") - before[1],
    }
    assert seen.count["v2"] > 50


def test_a_new_version_comes_up_under_load_and_fails_only_its_own_users(
    shop: World, tmp_path: Path
) -> None:
    with Load(shop.front_url + "/checkout", tmp_path / "load.jsonl", rate=200) as load:
        shop.add_version("broken", instances=2, error_ratio=0.5, slow_ratio=0.5, slow_ms=80)
        shop.set_shares({"v1": 50, "broken": 50}, "deploy-broken")
        assert within(5, lambda: load.summary().count.get("broken", 0) > 60)
        shop.set_shares({"v1": 100, "broken": 0}, "away-from-broken")
    seen = load.summary()
    assert seen.by_us == 0
    assert seen.failed.keys() == {"broken"}
    assert 0.25 < seen.failed["broken"] / seen.count["broken"] < 0.75
    assert seen.latency_p95_ms > 80


def test_the_shares_of_a_version_that_nobody_knows_are_refused(shop: World) -> None:
    with pytest.raises(ValueError, match="there is no 'v9', only v1"):
        shop.set_shares({"v9": 100}, "wrong")


def test_routes_that_envoy_refuses_leave_the_old_ones_in_force(shop: World) -> None:
    with pytest.raises(WorldError, match="Envoy refuses the routes of wrong"):
        shop._door.set_weights({"shop-nowhere": 100}, "wrong")
    assert shop.shares() == {"v1": 100, "v2": 0}


def test_instances_come_and_go_one_by_one_and_their_names_tell_their_ports(shop: World) -> None:
    for count in (4, 0, 1):
        shop.scale("v2", count)
        assert shop.healthy("v2") == shop.ready("v2") == count
        names = [name for name in shop.pids() if name.startswith("shop-v2_")]
        assert [envoy_admin.answers(int(name.partition("_")[2]), "/ready") for name in names] == [
            True
        ] * count
    with pytest.raises(ValueError, match="there can be 0 to 4"):
        shop.scale("v2", 5)


def test_a_crashed_instance_is_started_again_and_the_log_tells(shop: World) -> None:
    name, pid = next(pair for pair in shop.pids().items() if pair[0].startswith("shop-v1_"))
    os.kill(pid, 9)
    assert within(5, lambda: shop.pids().get(name, pid) != pid and shop.healthy("v1") == 2)
    assert shop.spawned()[-1] == (name, shop.pids()[name])
    assert f"exited: {name}" in shop.supervisord_log.read_text()


def test_while_envoy_is_down_users_are_refused_and_then_find_the_same_routes(
    shop: World, tmp_path: Path
) -> None:
    shop.set_shares({"v1": 70, "v2": 30}, "before-the-crash")
    with Load(shop.front_url, tmp_path / "load.jsonl", rate=100) as load:
        assert within(5, lambda: load.summary().total > 10)
        shop.kill_envoy()
        assert within(5, lambda: load.summary().by_us > 10)
        shop.start_envoy()
        assert shop.shares() == {"v1": 70, "v2": 30}
        since = load.summary().total
        assert within(5, lambda: load.summary().count["v1"] > since)


def test_two_worlds_do_not_meet(shop: World, folder: Path) -> None:
    with World(folder) as other:
        other.add_version("v1", instances=1)
        assert other.describe()["front_url"] != shop.front_url
        assert other.ready("v1") == 1


def test_stopping_leaves_no_process_and_no_port_behind(folder: Path) -> None:
    with World(folder) as small:
        small.add_version("v1", instances=2)
        pids = small.pids()
        assert len(pids) == 4
    assert living(pids) == []
    small.stop()  # once more changes nothing
    assert small.supervisord_log.read_text().count("exit status 0") == 2
    assert not envoy_admin.answers(admin_port(small), "/ready")


def test_a_start_that_fails_half_way_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = folder / "envoy"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(world, "envoy", lambda: str(broken))
    with pytest.raises(WorldError, match="envoy ended with 3:\nno such luck"):
        World(folder).start()
    assert not (folder / "supervisord.pid").exists()


def test_a_version_that_cannot_start_is_told_with_its_log(shop: World) -> None:
    taken = int(next(name for name in shop.pids() if name.startswith("shop-v1_"))[-5:])
    with pytest.raises(WorldError, match=f"ports for shop-v7 are taken.*{taken}"):
        shop.add_version("v7", instances=1, first_port=taken)
    with pytest.raises(ValueError, match="no option colour"):
        shop.add_version("v7", instances=1, colour=1)
    with pytest.raises(ValueError, match="not the name of a new version: 'v1'"):
        shop.add_version("v1", instances=1)


def test_a_folder_too_long_for_a_socket_is_refused_in_words(folder: Path) -> None:
    with pytest.raises(WorldError, match="choose a shorter folder"):
        World(folder / ("x" * 100))


@ends_with_parent
def test_a_killed_supervisord_takes_its_instances_along(folder: Path) -> None:
    with World(folder) as small:
        small.add_version("v1", instances=2)
        pids = small.pids()
        os.kill(pids["supervisord"], 9)
        assert within(3, lambda: living(pids) == ["envoy"])
    assert living(pids) == []


def test_without_setpriv_stopping_ends_what_a_killed_supervisord_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "with_parent", list)
    with World(folder) as small:
        small.add_version("v1", instances=1)
        pids = small.pids()
        os.kill(pids["supervisord"], 9)
    assert "pdeathsig" not in (folder / "conf.d" / "shop-v1.conf").read_text()
    assert living(pids) == []


@ends_with_parent
def test_a_killed_owner_takes_the_world_along(folder: Path) -> None:
    owner = (
        "import os, pathlib; from demo.world import World; w = World(pathlib.Path(os.sys.argv[1]));"
        "w.start(); w.add_version('v1', instances=1);"
        "print(*w.pids().values(), flush=True); os.kill(os.getpid(), 9)"
    )
    root = Path(world.__file__).parents[1]
    command = [sys.executable, "-c", owner, str(folder)]
    shown = subprocess.run(command, cwd=root, check=False, stdout=subprocess.PIPE, text=True).stdout
    pids = {pid: int(pid) for pid in shown.split()}
    assert len(pids) == 3
    assert within(5, lambda: living(pids) == [])
