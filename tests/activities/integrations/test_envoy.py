"""Traffic at a real Envoy in front of real instances."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.integrations.envoy import Admin, Envoy, SharedStats
from activities.integrations.envoy.counters import MERGE_WINDOW_S, Rotation
from activities.integrations.envoy.routes import Routes, percent
from activities.targets import Traffic
from demo.world import World
from rollback_manager.errors import PermanentError, RollbackError, StaleWrite, Unreachable
from rollback_manager.metrics.reading import Counts, Snapshot
from rollback_manager.operation import Mark
from rollback_manager.platforms import EnvoyTarget


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=httpx.Timeout(5, connect=2), trust_env=False) as one:
        yield one


@pytest.fixture
def envoy(world: World, client: httpx.Client) -> Envoy:
    return Envoy(target_of(world), client)


@pytest.fixture(autouse=True)
def from_the_start(request: pytest.FixtureRequest) -> None:
    if "world" in request.fixturenames:
        world: World = request.getfixturevalue("world")
        world.set_shares({"v1": 100, "v2": 0}, f"deployed-{time.monotonic_ns()}")


def target_of(world: World) -> EnvoyTarget:
    return EnvoyTarget(
        kind="envoy", admin=world.admin_url, routes=str(world.routes_file), route="shop"
    )


def mark(epoch: int, step: int) -> Mark:
    return Mark(op_id=f"{epoch:08x}{step:08x}", epoch=epoch, step=step)


def visit(world: World, client: httpx.Client, times: int = 20, path: str = "/") -> Counter[str]:
    """Who answered: a version, or "" when it was Envoy itself."""
    answers = [client.get(world.front_url + path) for _ in range(times)]
    return Counter(answer.headers.get("x-version", "") for answer in answers)


def within(timeout_s: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def taken_up(envoy: Traffic) -> bool:
    return within(2, lambda: envoy.shares().acknowledged)


def edit(world: World, change: Callable[[dict[str, Any]], None], *, in_place: bool = False) -> None:
    """Change the route file as some other program would."""
    document = json.loads(world.routes_file.read_text())
    change(document)
    file = world.routes_file if in_place else world.routes_file.with_name("new")
    file.write_text(json.dumps(document))
    if not in_place:
        file.replace(world.routes_file)


def split_of(document: dict[str, Any]) -> dict[str, Any]:
    route = document["resources"][0]["virtual_hosts"][0]["routes"][0]["route"]
    split: dict[str, Any] = route["weighted_clusters"]
    return split


def grown(before: Snapshot, after: Snapshot, version: str) -> tuple[int, int, int]:
    """Requests, errors of the version and own errors between two snapshots."""
    first, last = before.versions[version], after.versions[version]
    own = after.own_errors - before.own_errors
    return last.requests - first.requests, last.errors - first.errors, own


# Shares


def test_shares_are_read_as_somebody_else_set_them(envoy: Envoy) -> None:
    seen = envoy.shares()
    assert (seen.shares, seen.mark, seen.acknowledged) == ({"v1": 100}, None, True)


def test_set_shares_move_the_users_and_say_who_did_it(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    envoy.set_shares({"v2": 100}, mark(1, 2))
    assert taken_up(envoy)
    assert envoy.shares().shares == {"v2": 100}
    assert envoy.shares().mark == mark(1, 2)
    assert visit(world, client) == {"v2": 20}


def test_the_split_follows_every_writer_at_once(world: World, envoy: Envoy) -> None:
    assert envoy.split() == {"v1": 100}
    envoy.set_shares({"v1": 40, "v2": 60}, mark(1, 2))
    assert envoy.split() == {"v1": 40, "v2": 60}
    edit(world, lambda document: split_of(document)["clusters"].reverse())
    edit(world, lambda document: split_of(document)["clusters"][0].update(weight=0))
    assert envoy.split() in ({"v1": 100}, {"v2": 100})


def test_a_split_is_given_as_it_was_set(envoy: Envoy) -> None:
    envoy.set_shares({"v1": 33, "v2": 67}, mark(1, 2))
    assert taken_up(envoy)
    assert envoy.shares().shares == {"v1": 33, "v2": 67}


def test_a_mark_from_an_older_rollback_is_refused_and_the_old_routes_stay(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    envoy.set_shares({"v2": 100}, mark(7, 1))
    before = world.routes_file.read_bytes()
    with pytest.raises(StaleWrite, match="epoch 7, step 1"):
        envoy.set_shares({"v1": 100}, mark(6, 9))
    assert world.routes_file.read_bytes() == before
    assert taken_up(envoy)
    assert visit(world, client) == {"v2": 20}


def test_a_late_attempt_of_an_earlier_step_is_refused(envoy: Envoy) -> None:
    envoy.set_shares({"v2": 100}, mark(7, 3))
    with pytest.raises(StaleWrite, match="step 2"):
        envoy.set_shares({"v1": 100}, mark(7, 2))
    assert envoy.shares().shares == {"v2": 100}


def test_a_write_that_rests_on_an_old_look_does_not_overwrite_a_deployer(
    world: World, envoy: Envoy
) -> None:
    seen = envoy.shares().token
    world.set_shares({"v1": 0, "v2": 100}, "deployed-meanwhile")  # as before, and without a mark
    with pytest.raises(StaleWrite, match="replaced by somebody else"):
        envoy.set_shares({"v1": 100}, mark(9, 1), seen)
    assert envoy.shares().shares == {"v2": 100}
    envoy.set_shares({"v1": 100}, mark(9, 1), envoy.shares().token)
    assert taken_up(envoy)


def test_the_own_mark_again_is_accepted(envoy: Envoy) -> None:
    for _ in range(2):
        envoy.set_shares({"v2": 100}, mark(7, 3))
    assert taken_up(envoy)


def test_the_same_split_under_a_newer_mark_is_acknowledged(envoy: Envoy) -> None:
    envoy.set_shares({"v1": 100}, mark(7, 3))
    assert taken_up(envoy)
    envoy.set_shares({"v1": 100}, mark(7, 4))
    assert taken_up(envoy)
    assert envoy.shares().mark == mark(7, 4)


def test_everything_else_in_the_route_file_stays(world: World, envoy: Envoy) -> None:
    other = {"name": "status", "domains": ["status.test"], "routes": []}

    def more(document: dict[str, Any]) -> None:
        document["resources"][0]["virtual_hosts"].append(other)
        document["resources"][0]["response_headers_to_remove"] = ["x-powered-by"]
        header = {"header": {"key": "x-side", "value": "old"}}
        split_of(document)["clusters"][0]["response_headers_to_add"] = [header]

    edit(world, more)
    wanted = json.loads(world.routes_file.read_text())
    envoy.set_shares({"v2": 100}, mark(1, 1))
    wanted["version_info"] = str(mark(1, 1))
    for cluster, weight in zip(split_of(wanted)["clusters"], (0, 100), strict=True):
        cluster["weight"] = weight
    assert json.loads(world.routes_file.read_text()) == wanted
    assert taken_up(envoy)


def test_shares_for_a_version_that_envoy_has_no_cluster_for_are_refused_unwritten(
    world: World, envoy: Envoy
) -> None:
    before = world.routes_file.read_bytes()
    with pytest.raises(PermanentError, match=r"no cluster for v9; it has: v1, v2"):
        envoy.set_shares({"v9": 100}, mark(1, 1))
    assert world.routes_file.read_bytes() == before


@pytest.mark.parametrize("shares", [{}, {"v1": 99}, {"v1": 130, "v2": -30}])
def test_shares_that_do_not_sum_to_100_are_refused(envoy: Envoy, shares: dict[str, int]) -> None:
    with pytest.raises(PermanentError, match="sum to 100"):
        envoy.set_shares(shares, mark(1, 1))


def test_a_cluster_that_is_gone_does_not_void_the_new_routes(world: World, envoy: Envoy) -> None:
    def leftover(document: dict[str, Any]) -> None:
        split_of(document)["clusters"].append({"name": "shop-v0", "weight": 0})

    edit(world, leftover)
    envoy.set_shares({"v2": 100}, mark(1, 1))
    assert taken_up(envoy)


def test_what_envoy_did_not_take_up_is_not_acknowledged(world: World, envoy: Envoy) -> None:
    def shift(document: dict[str, Any]) -> None:
        document["version_info"] = str(mark(9, 9))
        split_of(document)["clusters"][0]["name"] = "shop-v9"

    edit(world, shift)  # Envoy rejects a cluster that it does not have
    time.sleep(0.1)
    seen = envoy.shares()
    assert (seen.shares, seen.mark, seen.acknowledged) == ({"v9": 100}, mark(9, 9), False)


def test_other_weights_under_the_same_name_are_not_acknowledged(world: World, envoy: Envoy) -> None:
    def shift(document: dict[str, Any]) -> None:
        split_of(document)["clusters"][0]["weight"] = 50
        split_of(document)["clusters"][1]["weight"] = 50

    edit(world, shift, in_place=True)  # which Envoy does not notice
    assert not envoy.shares().acknowledged


def test_another_name_for_the_same_weights_is_not_acknowledged_unseen(
    world: World, envoy: Envoy
) -> None:
    def rename(document: dict[str, Any]) -> None:
        document["version_info"] = str(mark(9, 9))

    edit(world, rename, in_place=True)
    assert not envoy.shares().acknowledged


def test_the_lines_for_a_person_set_the_same_split(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    envoy.set_shares({"v1": 100}, mark(3, 3))
    for line in envoy.by_hand({"v1": 0, "v2": 100}):
        subprocess.run(["/bin/sh", "-ec", line], check=True)
    assert taken_up(envoy)
    assert (envoy.shares().shares, envoy.shares().mark) == ({"v2": 100}, None)
    assert visit(world, client) == {"v2": 20}


def test_the_lines_for_a_person_survive_any_path_and_content(tmp_path: Path) -> None:
    file = tmp_path / "it's a $(folder)" / "rds.json"
    file.parent.mkdir()
    clusters = [{"name": "shop-v1", "weight": 100}]
    hosts = [{"name": "it's $HOME %s\\n", "weighted_clusters": {"clusters": clusters}}]
    file.write_text(json.dumps({"resources": [{"name": "shop", "virtual_hosts": hosts}]}))
    target = EnvoyTarget(kind="envoy", admin="http://x", routes=str(file), route="shop")
    with httpx.Client() as client:
        for line in Envoy(target, client).by_hand({"v2": 100}):
            subprocess.run(["/bin/sh", "-ec", line], check=True)
    written = json.loads(file.read_text())
    assert written["resources"][0]["virtual_hosts"][0]["name"] == "it's $HOME %s\\n"
    assert Routes(file.read_text(), "shop", "").shares() == {"v2": 100}


# The route file


def routes(splits: list[dict[str, int]], spelling: str = "weighted_clusters") -> str:
    hosts = [
        {spelling: {"clusters": [{"name": name, "weight": w} for name, w in split.items()]}}
        for split in splits
    ]
    other = {"name": "other", "virtual_hosts": [{"weighted_clusters": {"clusters": []}}]}
    return json.dumps({"resources": [other, {"name": "shop", "virtual_hosts": hosts}]})


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"a": 100, "b": 0}, {"a": 100}),
        ({"a": 30, "b": 10}, {"a": 75, "b": 25}),
        ({"a": 1, "b": 1, "c": 1}, {"a": 34, "b": 33, "c": 33}),
        ({"a": 9999, "b": 1}, {"a": 99, "b": 1}),  # who gets anything is never shown as nothing
        ({"a": 0}, {}),
    ],
)
def test_weights_of_any_sum_are_read_as_whole_percents(
    weights: dict[str, int], shares: dict[str, int]
) -> None:
    text = routes([{f"shop-{version}": weight for version, weight in weights.items()}])
    assert Routes(text, "shop", "f").shares() == shares


def test_percents_always_sum_to_100() -> None:
    for first in range(1, 60):
        shares = percent({"a": first, "b": 7, "c": 1, "d": 1000})
        assert sum(shares.values()) == 100
        assert min(shares.values()) >= 1


def test_both_spellings_of_envoys_field_names_are_read() -> None:
    text = routes([{"shop-v1": 40, "shop-v2": 60}], "weightedClusters")
    assert Routes(text, "shop", "f").shares() == {"v1": 40, "v2": 60}


def test_every_split_of_the_service_is_shifted_and_no_other() -> None:
    text = routes([{"shop-v1": 100}, {"search-v1": 100}, {"shop-v1": 100, "shop-v2": 0}])
    shifted = Routes(text, "shop", "f").with_shares({"v2": 100}, "me", {"v1", "v2"})
    assert Routes(shifted, "shop", "f").weights() == [
        {"shop-v1": 0, "shop-v2": 100},
        {"shop-v1": 0, "shop-v2": 100},
    ]
    assert '"search-v1"' in shifted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not a route file in JSON"),
        ("[]", "is not a route file in JSON"),
        ('{"resources": [7]}', "is not a route file in JSON"),
        ('{"resources": []}', "has 0 route configurations named 'shop'"),
        (routes([]), "has no weighted_clusters whose names begin with 'shop-'"),
        (routes([{"shop-v1": 100, "search-v1": 1}]), r"mixes \['search-v1'\] into the split"),
        (routes([{"shop-v1": 100}, {"shop-v2": 100}]), "in several ways"),
    ],
)
def test_a_broken_route_file_is_named_with_what_is_wrong(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "rds.json"
    file.write_text(text)
    target = EnvoyTarget(kind="envoy", admin="http://x", routes=str(file), route="shop")
    nobody = httpx.MockTransport(lambda _: httpx.Response(200, json={"configs": []}))
    with httpx.Client(transport=nobody) as client, pytest.raises(PermanentError, match=said) as it:
        Envoy(target, client).shares()
    assert str(file) in str(it.value)


def test_a_missing_route_file_is_named(world: World, client: httpx.Client) -> None:
    target = target_of(world).model_copy(update={"routes": "/nowhere/rds.json"})
    with pytest.raises(PermanentError, match=r"/nowhere/rds\.json: No such file"):
        Envoy(target, client).shares()
    with pytest.raises(PermanentError, match="No such file"):
        Envoy(target, client).set_shares({"v1": 100}, mark(1, 1))


# Counters


def test_requests_are_counted_for_the_version_that_answered(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    before = envoy.snapshot()
    visit(world, client, 20)
    visit(world, client, 5, "/no-such-page")  # a 404 is the user's fault
    after = envoy.snapshot()
    assert grown(before, after, "v1") == (25, 0, 0)
    assert grown(before, after, "v2") == (0, 0, 0)
    assert after.taken_at > before.taken_at


def test_latencies_are_counted_in_rising_buckets(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    visit(world, client, 20)
    counts = envoy.snapshot().versions["v1"].requests

    def counted() -> bool:
        buckets = envoy.snapshot().versions["v1"].latency_ms
        return bool(buckets) and buckets[-1][1] >= counts

    assert within(3, counted)  # at the next flush
    buckets = envoy.snapshot().versions["v1"].latency_ms
    assert list(buckets) == sorted(buckets)
    assert next(count for edge, count in buckets if edge >= 2) < counts  # the shop takes 5 ms


def test_errors_of_a_version_are_its_own(world: World, client: httpx.Client, envoy: Envoy) -> None:
    if "v2-bad" not in envoy.snapshot().versions:
        world.add_version("v2-bad", instances=1, error_ratio=1)
    world.set_shares({"v2-bad": 100}, "bad")
    before = envoy.snapshot()
    visit(world, client, 10)
    after = envoy.snapshot()
    assert grown(before, after, "v2-bad") == (10, 10, 0)
    assert grown(before, after, "v2") == (0, 0, 0)


def test_a_version_whose_name_begins_like_anothers_is_counted_apart(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    world.add_version("v1.1", instances=1)
    before = envoy.snapshot()
    visit(world, client, 10)
    world.set_shares({"v1.1": 100}, "dotted")
    visit(world, client, 3)
    after = envoy.snapshot()
    assert grown(before, after, "v1") == (10, 0, 0)
    assert grown(before, after, "v1.1") == (3, 0, 0)
    assert "v1.external" not in after.versions


def test_without_a_healthy_instance_the_errors_are_nobodys_own(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    world.scale("v2", 0)
    world.set_shares({"v2": 100}, "onto nobody")
    assert within(2, lambda: visit(world, client, 1)[""] == 1)
    before = envoy.snapshot()
    assert visit(world, client, 10) == {"": 10}
    after = envoy.snapshot()
    world.scale("v2", 2)
    assert grown(before, after, "v2") == (0, 0, 10)
    assert after.versions["v2"].serving == 0


def test_refused_connections_are_nobodys_own_errors(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    supervisord = world.pids()["supervisord"]
    instances = [pid for name, pid in world.pids().items() if name.startswith("shop-v1_")]
    os.kill(supervisord, signal.SIGSTOP)  # else it starts them again within 20 ms
    try:
        for pid in instances:
            os.kill(pid, signal.SIGKILL)
        visit(world, client, 4)  # over the connections that were open: those died, see below
        before = envoy.snapshot()
        assert visit(world, client, 10) == {"": 10}
        assert grown(before, envoy.snapshot(), "v1") == (0, 0, 10)
    finally:
        os.kill(supervisord, signal.SIGCONT)
    assert within(5, lambda: world.healthy("v1") == 2)


def test_routes_to_a_cluster_that_is_not_there_are_nobodys_own_errors(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    def unchecked(document: dict[str, Any]) -> None:
        document["version_info"] = "unchecked"
        document["resources"][0]["validate_clusters"] = False
        split_of(document)["clusters"] = [{"name": "shop-v9", "weight": 100}]

    before = envoy.snapshot()
    edit(world, unchecked)
    assert taken_up(envoy)
    visit(world, client, 5)
    assert envoy.snapshot().own_errors - before.own_errors == 5


def test_an_instance_that_dies_over_a_request_is_its_versions_error(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    if "slow" not in envoy.snapshot().versions:
        world.add_version("slow", instances=1, latency_ms=5000)
    world.set_shares({"slow": 100}, "slow")
    before = envoy.snapshot()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(visit, world, client, 1)
        assert within(2, lambda: envoy.snapshot().versions["slow"].in_flight == 1)
        (pid,) = [pid for name, pid in world.pids().items() if name.startswith("shop-slow_")]
        os.kill(pid, signal.SIGKILL)
        assert asked.result() == {"": 1}
    after = envoy.snapshot()
    assert grown(before, after, "slow") == (1, 1, 0)
    assert after.versions["slow"].in_flight == 0


def test_counters_of_retried_attempts_do_not_excuse_a_version() -> None:
    values = {
        "cluster.shop-v1.membership_healthy": 2,
        "cluster.shop-v1.upstream_rq_completed": 100,
        "cluster.shop-v1.upstream_rq_5xx": 10,
        "cluster.shop-v1.upstream_rq_pending_failure_eject": 8,
        "cluster.shop-v1.upstream_rq_retry": 8,
    }
    assert snapshot_of(values).versions["v1"] == Counts(
        requests=100, errors=10, in_flight=0, serving=2
    )


def test_answers_that_are_tried_again_do_not_make_earlier_unreached_ones_errors() -> None:
    values = {
        "cluster.shop-v1.membership_healthy": 2,
        "cluster.shop-v1.upstream_rq_completed": 300,
        "cluster.shop-v1.upstream_rq_5xx": 100,
        "cluster.shop-v1.upstream_cx_none_healthy": 100,
        "cluster.shop-v1.upstream_rq_retry": 100,
        "cluster.shop-v1.retry.upstream_rq_completed": 100,
    }
    assert snapshot_of(values).versions["v1"] == Counts(
        requests=200, errors=0, in_flight=0, serving=2
    )


def test_a_retry_policy_that_helps_brings_no_errors_of_the_start_back(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    if "flaky" not in envoy.snapshot().versions:
        world.add_version("flaky", instances=1, error_ratio=0.5)
    world.set_shares({"flaky": 100}, "flaky")
    world.scale("flaky", 0)
    assert within(2, lambda: visit(world, client, 1)[""] == 1)
    assert visit(world, client, 20) == {"": 20}
    world.scale("flaky", 1)
    assert within(5, lambda: visit(world, client, 1)["flaky"] == 1)
    retried(world, {"retry_on": "5xx", "num_retries": 10})
    try:
        assert taken_up(envoy)
        before, failed = envoy.snapshot(), failed_in(world, client)
        assert visit(world, client, 30) == {"flaky": 30}
        after = envoy.snapshot()
        assert grown(before, after, "flaky") == (30, failed_in(world, client) - failed, 0)
    finally:
        retried(world, None)


def retried(world: World, policy: dict[str, object] | None) -> None:
    def write(document: dict[str, Any]) -> None:
        document["version_info"] = f"retried {policy}"
        for host in document["resources"][0]["virtual_hosts"]:
            host.pop("retry_policy", None)
            host.update({"retry_policy": policy} if policy else {})

    edit(world, write)


def failed_in(world: World, client: httpx.Client) -> int:
    name = "cluster.shop-flaky.upstream_rq_5xx"
    values, _ = Admin(world.admin_url, client).stats(f"^{name}$")
    return int(values[name])


def test_what_was_never_counted_is_zero() -> None:
    only = snapshot_of({"cluster.shop-v1.membership_healthy": 0})
    assert only.versions == {"v1": Counts(requests=0, errors=0, in_flight=0, serving=0)}
    assert only.own_errors == 0


def snapshot_of(values: dict[str, int], others: Collection[str] = ()) -> Snapshot:
    stats = [{"name": name, "value": value} for name, value in values.items()]
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json={"stats": stats}))
    target = EnvoyTarget(kind="envoy", admin="http://envoy", routes="/none", route="shop")
    with httpx.Client(transport=answers) as client:
        return Envoy(target, client, others=others).snapshot()


# In rotation


def test_a_rise_counts_once_the_threads_that_send_requests_must_know_of_it() -> None:
    rotation, window = Rotation(), MERGE_WINDOW_S
    looks = [(0.0, 0), (0.2, 4), (0.9, 4), (1.1, 4), (0.3 + window, 4)]
    assert [rotation.sure("v1", healthy, at) for at, healthy in looks] == [0, 0, 0, 0, 4]


def test_a_fall_counts_at_once() -> None:
    rotation = Rotation()
    assert [rotation.sure("v1", healthy, at) for at, healthy in [(0, 4), (0.2, 1)]] == [4, 1]


def test_a_look_after_a_longer_pause_stands_for_itself() -> None:
    rotation = Rotation()
    assert [rotation.sure("v1", healthy, at) for at, healthy in [(0, 2), (60, 4)]] == [2, 4]


def test_instances_that_are_said_to_serve_do_serve(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    world.scale("v2", 0)
    assert envoy.snapshot().versions["v2"].serving == 0
    with ThreadPoolExecutor(1) as pool:
        scaled = pool.submit(world.scale, "v2", 2)
        assert within(10, lambda: envoy.snapshot().versions["v2"].serving == 2)
        scaled.result()
    envoy.set_shares({"v2": 100}, mark(1, 1))
    assert taken_up(envoy)
    assert visit(world, client, 50) == {"v2": 50}


# Outages


def test_an_envoy_that_is_down_is_unreachable_and_comes_back(
    world: World, client: httpx.Client, envoy: Envoy
) -> None:
    before = world.routes_file.read_bytes()
    world.kill_envoy()
    calls: list[Callable[[], object]] = [
        envoy.shares,
        envoy.snapshot,
        lambda: envoy.set_shares({"v2": 100}, mark(1, 1)),
    ]
    for call in calls:
        with pytest.raises(Unreachable, match="does not answer") as caught:
            call()
        assert caught.value.effect
        assert f"curl {world.admin_url}/ready" in caught.value.next_step
    assert world.routes_file.read_bytes() == before
    world.start_envoy()
    envoy.set_shares({"v2": 100}, mark(1, 1))
    assert taken_up(envoy)


OUTAGES = {
    *("ConnectError", "ConnectTimeout", "CloseError", "NetworkError", "PoolTimeout", "ProxyError"),
    *("ReadError", "ReadTimeout", "RemoteProtocolError", "TimeoutException", "WriteError"),
    "WriteTimeout",
}
RAISED = [
    one
    for one in (getattr(httpx, name) for name in httpx.__all__)
    if isinstance(one, type) and issubclass(one, Exception) and one is not httpx.HTTPStatusError
]


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_everything_that_httpx_raises_becomes_an_error_of_ours(kind: type[Exception]) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        try:
            raise kind("long " * 100)
        except TypeError:
            raise kind() from None

    with pytest.raises(RollbackError) as caught:
        ask(fail)
    assert isinstance(caught.value.__cause__, kind)
    assert isinstance(caught.value, Unreachable) == (kind.__name__ in OUTAGES)
    assert len(caught.value.what) < 400


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(503), Unreachable),
        (httpx.Response(404, text="long " * 1000), PermanentError),
        (httpx.Response(302, headers={"location": "/"}), PermanentError),
        (httpx.Response(200, text="<html>not Envoy</html>"), PermanentError),
        (httpx.Response(200, json=["not", "Envoy"]), PermanentError),
        (httpx.Response(200, json={"stats": [{"histograms": [7]}]}), PermanentError),
    ],
)
def test_an_answer_that_is_not_envoys_becomes_an_error_of_ours(
    answer: httpx.Response, kind: type[RollbackError]
) -> None:
    with pytest.raises(kind) as caught:
        ask(lambda _: answer)
    assert len(caught.value.what) < 400


def ask(handler: Callable[[httpx.Request], httpx.Response]) -> None:
    target = EnvoyTarget(kind="envoy", admin="http://envoy", routes="/none", route="shop")
    with httpx.Client(transport=httpx.MockTransport(handler)) as client:
        Envoy(target, client).snapshot()


# Many services, one question


class Counting(Admin):
    """Counts the questions; slow, so that others come meanwhile."""

    asked = 0

    def stats(self, pattern: str, *, used: bool = False) -> Any:
        self.asked += 1
        time.sleep(0.2)
        return super().stats(pattern, used=used)


def test_all_who_look_at_once_share_one_question(world: World, client: httpx.Client) -> None:
    admin = Counting(world.admin_url, client)
    shared = SharedStats(admin)
    envoys = [Envoy(target_of(world), client, shared) for _ in range(8)]
    visit(world, client)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda one: one.snapshot(0.5), envoys))
    assert admin.asked == 1
    assert all(one == seen[0] for one in seen)
    own = envoys[0].snapshot()
    assert {name: one.requests for name, one in seen[0].versions.items()} == {
        name: one.requests for name, one in own.versions.items()
    }
    assert seen[0].own_errors == own.own_errors
    assert admin.asked == 1, "who wants it as of now asks for himself"
    time.sleep(0.6)
    assert envoys[0].snapshot(0.5).taken_at > seen[0].taken_at


def test_all_who_wait_for_a_question_that_fails_hear_of_it_once(client: httpx.Client) -> None:
    admin = Counting("http://127.0.0.1:9", client)
    shared = SharedStats(admin)

    def ask(_: int) -> str:
        with pytest.raises(Unreachable) as error:
            shared.of("shop", 0.5)
        return error.value.what

    with ThreadPoolExecutor(8) as pool:
        words = set(pool.map(ask, range(8)))
    assert len(words) == 1
    assert admin.asked == 1


def test_a_cluster_counts_for_every_route_that_its_name_may_belong_to(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "cluster.shop-v1.membership_healthy": 1,
        "cluster.shop-api-v1.2.membership_healthy": 2,
        "cluster.stock.membership_healthy": 3,
        "http.ingress.no_cluster": 4,
    }
    admin = Admin("http://127.0.0.1:9", client)
    monkeypatch.setattr(admin, "stats", lambda _, *, used: (values, {}))
    shared = SharedStats(admin)
    door = {"http.ingress.no_cluster"}
    first, second, *_ = values
    assert shared.of("shop", 9).values.keys() == {first, second} | door
    assert shared.of("shop-api", 9).values.keys() == {second} | door
    assert shared.of("stock", 9).values == {}


def test_a_cluster_of_a_longer_route_is_no_version_of_a_shorter_one() -> None:
    values = {
        f"cluster.{name}.{counter}": count
        for name, count in {"shop-v1": 10, "shop-api-v7": 500, "shop-apix": 3}.items()
        for counter in ("membership_healthy", "upstream_rq_completed")
    }
    seen = snapshot_of(values, others={"shop", "shop-api", "stock"})
    assert {version: one.requests for version, one in seen.versions.items()} == {
        "v1": 10,
        "apix": 3,
    }
