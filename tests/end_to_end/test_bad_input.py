"""Every way to ask for what cannot be: told in three parts, coded, and nothing is touched."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.small_world import Ended, SmallWorld, small_world
from workers.temporal_server import TemporalServer

NOWHERE = "127.0.0.1:1"
UNKNOWN = "rollback/demo/nobody-started-this"
DIGEST = "0123456789ab"


@pytest.fixture(scope="module")
def world(temporal: TemporalServer) -> Iterator[SmallWorld]:
    with small_world(temporal.address, "bad-input") as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_touched(world: SmallWorld) -> Iterator[None]:
    before = world.ledger()
    yield
    assert world.ledger() == before


def assert_refused(ended: Ended, code: int, what: str, next_step: str) -> None:
    """One message on stderr, and the same for programs as the last line of stdout."""
    assert ended.code == code, ended
    assert ended.has_three_parts, ended.err
    assert ended.tells(what), ended.err
    assert ended.tells(next_step), ended.err
    assert "Traceback" not in ended.err + ended.out
    assert ended.document["security"] == "local"
    assert ended.document["exit_code"] == code


@pytest.mark.parametrize("verb", [("plan",), ("start", "--yes"), ("releases", "list")])
def test_a_service_that_the_catalogue_lacks(world: SmallWorld, verb: tuple[str, ...]) -> None:
    ended = world.run(*verb, "chekout")
    assert_refused(
        ended,
        7,
        "no service 'chekout' in the catalogue; known: shop, unproven, warehouse",
        "rollback-manager catalogue check",
    )


def test_an_environment_that_the_catalogue_lacks(world: SmallWorld) -> None:
    ended = world.run("start", "shop", "--env", "prod", "--yes")
    assert_refused(ended, 7, "shop does not run in 'prod'", "rollback-manager catalogue check")


@pytest.mark.parametrize("verb", [("plan",), ("start", "--yes")])
def test_a_service_without_a_verified_release(world: SmallWorld, verb: tuple[str, ...]) -> None:
    ended = world.run(*verb, "unproven")
    assert_refused(
        ended,
        7,
        "no verified release to go back to",
        "rollback-manager releases mark SERVICE VERSION verified",
    )


def test_going_back_to_the_version_in_traffic(world: SmallWorld) -> None:
    ended = world.run("start", "shop", "--to", "v2", "--yes")
    assert_refused(
        ended,
        7,
        "v2 is the version that has the traffic now",
        "rollback-manager releases list SERVICE",
    )


def test_a_plan_that_is_no_longer_the_one_that_was_seen(world: SmallWorld) -> None:
    ended = world.run("start", "shop", "--expect-plan", DIGEST)
    assert_refused(ended, 9, "not 0123…ab", "rollback-manager plan SERVICE --env ENV")


@pytest.mark.parametrize("verb", [("plan",), ("start", "--yes")])
def test_a_temporal_that_does_not_answer(world: SmallWorld, verb: tuple[str, ...]) -> None:
    begun = time.monotonic()
    ended = world.run(*verb, "shop", TEMPORAL_ADDRESS=NOWHERE)
    assert time.monotonic() - begun < 10
    assert_refused(ended, 1, f"Temporal does not answer at {NOWHERE}", "rollback-manager serve")


def test_an_envoy_that_is_down(world: SmallWorld) -> None:
    world.shop.kill_envoy()
    try:
        ended = world.run("start", "shop", "--yes")
    finally:
        world.shop.start_envoy()
    assert_refused(
        ended,
        7,
        f"Envoy's admin interface at {world.shop.admin_url} does not answer",
        f"curl {world.shop.admin_url}/ready",
    )


def test_a_supervisord_that_is_down(world: SmallWorld) -> None:
    world.kill_supervisord_of_the_warehouse()
    ended = world.run("start", "warehouse", "--yes")
    assert_refused(
        ended, 7, f"supervisord at {world.warehouse.socket} does not answer", "supervisorctl -s"
    )


def test_a_half_written_catalogue(world: SmallWorld, tmp_path: Path) -> None:
    whole = Path(world.environment["ROLLBACK_CATALOGUE"]).read_text()
    half = tmp_path / "half.yaml"
    half.write_text(whole[: len(whole) // 2])
    ended = world.run("catalogue", "check", str(half))
    assert_refused(ended, 7, "half.yaml:1: ", "rollback-manager catalogue check FILE")


@pytest.mark.parametrize(
    "verb",
    [
        ("status",),
        ("watch",),
        ("abort",),
        ("pause",),
        ("approve", "--plan", DIGEST),
        ("reject", "--plan", DIGEST),
        ("report",),
    ],
    ids=lambda verb: str(verb[0]),
)
def test_a_rollback_that_nobody_started(world: SmallWorld, verb: tuple[str, ...]) -> None:
    ended = world.run(*verb, UNKNOWN)
    assert_refused(
        ended, 7, f"there is no running or remembered {UNKNOWN}", "rollback-manager list"
    )


def test_a_service_that_is_being_rolled_back_already(world: SmallWorld) -> None:
    first = world.run("start", "shop", "--confirm", "shop", "--no-wait", "--key", "first")
    second = world.run("start", "shop", "--confirm", "shop", "--key", "second")
    world.run("abort", "rollback/demo/first")
    assert first.code == 8
    assert_refused(
        second, 7, "shop is being rolled back already", "rollback-manager list --env demo"
    )


def test_the_same_key_again_is_the_same_rollback(world: SmallWorld) -> None:
    twice = [
        world.run("start", "shop", "--confirm", "shop", "--no-wait", "--idempotency-key", "ci-1")
        for _ in range(2)
    ]
    aborted = world.run("abort", "rollback/demo/ci-1")
    after = world.run("start", "shop", "--confirm", "shop", "--idempotency-key", "ci-1")
    assert [one.code for one in twice] == [8, 8]
    assert {one.document["rollback"] for one in [*twice, after]} == {"rollback/demo/ci-1"}
    assert aborted.document["applied"] is True
    assert after.code == 3, "how it ended is the answer, and it is not started anew"
    assert after.tells("Production is unchanged.")
