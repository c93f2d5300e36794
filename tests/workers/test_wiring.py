"""Names in the catalogue become objects that work, or stop the start."""

import json
import socket
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from temporalio import activity

from activities.integrations.envoy import Envoy
from activities.integrations.git import Repository
from activities.integrations.http_journeys import HttpJourneys
from activities.integrations.prometheus import PrometheusCounters
from activities.integrations.supervisord import Supervisord
from rollback_manager.errors import CatalogueError, PermanentError
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.policy import FleetPolicy
from tests.rig import catalogue
from workers import materials, wiring
from workers.settings import Settings
from workers.worker import MOST_AT_ONCE
from workflows.steps import ACTIVITIES


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "catalogue.yaml"
    file.write_text(catalogue("shop", {}).model_dump_json())
    return Settings(catalogue=file, data=tmp_path / "data" / "own")


def test_a_catalogue_becomes_objects_of_its_vendors(settings: Settings) -> None:
    target = wiring.parts(settings).targets("test", "shop")
    assert isinstance(target.traffic, Envoy)
    assert isinstance(target.workloads, Supervisord)
    assert isinstance(target.journeys, HttpJourneys)


def test_a_service_has_a_repository_where_the_catalogue_names_one(settings: Settings) -> None:
    assert wiring.parts(settings).reverts("test", "shop") is None
    tree = json.loads(settings.catalogue.read_text())
    place = tree["services"]["shop"]["environments"]["test"]
    place["git"] = {"repository": "/srv/deploy.git", "edits": [{"file": "a.yaml", "key": "tag"}]}
    settings.catalogue.write_text(json.dumps(tree))
    assert isinstance(wiring.parts(settings).reverts("test", "shop"), Repository)


def test_a_service_has_one_target_for_all_who_ask(settings: Settings) -> None:
    targets = wiring.parts(settings).targets
    assert targets("test", "shop") is targets("test", "shop"), "it remembers what it saw before"


@pytest.mark.parametrize(("env", "service"), [("test", "shpo"), ("prod", "shop")])
def test_names_that_the_catalogue_lacks_are_refused(
    settings: Settings, env: str, service: str
) -> None:
    with pytest.raises(PermanentError, match="known: "):
        wiring.parts(settings).targets(env, service)


def test_records_are_ready_and_for_this_user_alone(settings: Settings) -> None:
    parts = wiring.parts(settings)
    assert list(parts.records.releases("test", "shop")) == []
    assert stat.S_IMODE(settings.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((settings.data / "records.sqlite").stat().st_mode) == 0o600


def test_a_strategy_that_does_not_exist_stops_the_start(settings: Settings) -> None:
    text = settings.catalogue.read_text()
    settings.catalogue.write_text(text.replace("blue_green", "blue_grin"))
    with pytest.raises(PermanentError, match="blue_grin"):
        wiring.parts(settings)
    assert not settings.data.exists()


def test_a_catalogue_that_is_not_there_stops_the_start(settings: Settings) -> None:
    settings.catalogue.unlink()
    with pytest.raises(CatalogueError, match=r"cannot be read: No such file") as caught:
        wiring.parts(settings)
    assert "ROLLBACK_CATALOGUE=FILE" in caught.value.next_step


def test_a_catalogue_that_is_not_text_stops_the_start(settings: Settings) -> None:
    settings.catalogue.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogueError, match="not UTF-8"):
        wiring.parts(settings)


def test_every_activity_is_registered_under_its_name_for_good(settings: Settings) -> None:
    names = [_name(one) for one in wiring.activities(wiring.parts(settings), NOBODY)]
    assert sorted(names) == [
        "ask_audit",
        "ask_budget",
        "ask_decisions",
        "ask_deploys",
        "ask_glasses",
        "break_glass",
        "check_clusters",
        "check_slice",
        "check_sources",
        "check_stays",
        "claim",
        "clean_up",
        "close_service",
        "conclude",
        "conclude_tree",
        "deny_version",
        "drain",
        "give_back",
        "hold_owner",
        "judge_budget",
        "judge_incident",
        "keep_releases",
        "let_owners_go",
        "look_at_orphan",
        "observe",
        "open_revert",
        "plan_rollback",
        "prepare",
        "redirect_traffic",
        "restore_configuration",
        "seal_part",
        "stop_batch",
        "tell_people",
        "verify",
        "watch_claims",
        "watch_releases",
        "who_may_speak",
    ], "names that are in histories never change"
    assert {_name(one) for one in ACTIVITIES.values()} <= set(names)


def test_no_activity_is_cut_by_an_exception_in_its_thread(settings: Settings) -> None:
    """It could come in the middle of a write or, of all places, in a weak reference's callback."""
    for one in wiring.activities(wiring.parts(settings), NOBODY):
        assert _definition(one).no_thread_cancel_exception, _name(one)


class NobodyAsks:
    """Temporal, which nobody asks where activities are only named."""

    def started_by(self, workflow_id: str) -> str | None:
        raise AssertionError(workflow_id)

    def rollbacks(self, env: str, service: str) -> tuple[str, ...]:
        raise AssertionError(env, service)

    def alarm(self, alarm: Alarm) -> None:
        raise AssertionError(alarm)

    def recovered(self, alarm: Alarm) -> None:
        raise AssertionError(alarm)


NOBODY = wiring.OfTemporal(NobodyAsks(), NobodyAsks())


def _definition(function: object) -> activity._Definition:
    return activity._Definition.must_from_callable(function)  # type: ignore[arg-type] # any callable


def _name(function: object) -> str:
    name = _definition(function).name
    assert name is not None
    return name


def test_a_whole_rollback_may_drain_and_no_step_waits_for_a_slot() -> None:
    assert FleetPolicy().tree_above <= MOST_AT_ONCE


def test_services_of_one_prometheus_share_its_questions(settings: Settings) -> None:
    found = wiring.parts(with_metrics(settings, "shop", "cart", "mail")).targets
    shop, cart = (found("test", name).counters for name in ("shop", "cart"))
    assert isinstance(shop, PrometheusCounters)
    assert isinstance(cart, PrometheusCounters)
    mail = found("test", "mail").counters
    assert isinstance(mail, PrometheusCounters)
    assert shop.rounds is cart.rounds
    assert shop.rounds is not mail.rounds


def test_without_metrics_the_proxy_itself_counts(settings: Settings) -> None:
    assert wiring.parts(settings).targets("test", "shop").counters is None


def with_metrics(settings: Settings, *services: str) -> Settings:
    """Each with a Prometheus; mail's is another one."""
    tree = json.loads(settings.catalogue.read_text())
    (one,) = tree["services"].values()
    for name in services:
        metrics = {
            "kind": "prometheus",
            "url": f"http://127.0.0.1:{2 if name == 'mail' else 1}",
            "requests": "requests_total",
            "errors": {"kind": "label", "label": "code", "matches": "5.."},
        }
        place = one["environments"]["test"] | {"metrics": metrics}
        tree["services"][name] = one | {"environments": {"test": place}}
    settings.catalogue.write_text(json.dumps(tree))
    return settings


def test_connections_that_hang_do_not_keep_the_next_request_from_being_sent() -> None:
    """As many as httpx would allow by itself, and one more."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server, ExitStack() as hanging:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            while len(held) < 101:
                held.append(server.accept()[0])
                held[-1].recv(1000)
                held[-1].sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        client = hanging.enter_context(materials.http_client())
        for _ in range(101):
            hanging.enter_context(client.stream("GET", url, timeout=httpx.Timeout(10, pool=1)))
        thread.join()
    for one in held:
        one.close()


def test_a_service_does_not_count_another_whose_name_goes_on_from_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = catalogue("shop", {}).model_dump()
    place = described["services"]["shop"]["environments"]["test"]
    place["traffic"] |= {"route": "shop", "admin": "http://127.0.0.1:1"}
    longer = {"traffic": place["traffic"] | {"route": "shop-api", "admin": "http://127.0.0.1:1/"}}
    described["services"]["api"] = {
        **described["services"]["shop"],
        "environments": {"test": place | longer},
    }
    settings.catalogue.write_text(json.dumps(described))
    names = ("cluster.shop-v1.membership_healthy", "cluster.shop-api-v7.membership_healthy")
    stats = {"stats": [{"name": name, "value": 1} for name in names]}
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json=stats))
    monkeypatch.setattr(materials, "http_client", lambda: httpx.Client(transport=answers))
    targets = wiring.parts(settings).targets
    seen = {name: targets("test", name).traffic.snapshot().versions for name in ("shop", "api")}
    assert {name: list(found) for name, found in seen.items()} == {"shop": ["v1"], "api": ["v7"]}
