"""After a shift: are users of the good version well, as a real Prometheus counts them?"""

import dataclasses
import signal
import time
from collections.abc import Iterator

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.counted import Window
from activities.integrations.prometheus import Prometheus, PrometheusCounters, Rounds
from activities.metrics import MetricsActivities
from activities.slices import SliceActivities
from activities.step import Step
from activities.targets import Target
from proof.stand_ins import StandInService
from rollback_manager.metrics.reading import Reading, Snapshot
from rollback_manager.operation import Mark
from rollback_manager.plan import Action, NotWorse, Well
from rollback_manager.policy import Policy
from rollback_manager.progress import StepRecord, StepState
from tests import prometheus
from tests.activities.counted_shop import Instance, shown
from tests.activities.watch.test_prometheus_watch import source_of
from tests.builders import service_plan
from tests.prometheus import Exporter, Server

INTERVAL_S = 0.5
JOBS = {f"shop-{version}": f"/shop-{version}" for version in ("v1", "v2")}


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with prometheus.exporter() as one:
        yield one


@pytest.fixture(scope="module")
def server(exporter: Exporter) -> Iterator[Server]:
    with prometheus.server(exporter, JOBS, interval_s=INTERVAL_S) as one:
        yield one


class Verified:
    """v1 is back and has all traffic; what it answers is counted by Prometheus."""

    def __init__(self, server: Server, client: httpx.Client) -> None:
        self.server = server
        pages = server.exporter
        self.v1, self.v2 = (
            shown(pages, f"/shop-{version}", Instance("shop", version, per_s=1000, slow=0.01))
            for version in ("v1", "v2")
        )
        source = source_of(server, INTERVAL_S)
        rounds = Rounds(Prometheus({"shop": source}, client))
        self.counters = PrometheusCounters(rounds, "shop", source)
        self.proxy = StandInService(shares_now={"v1": 100}, running={"v1": 2, "v2": 2})
        self.environment = ActivityEnvironment()

    def target(self, _env: str, _service: str) -> Target:
        return dataclasses.replace(self.proxy.target(), counters=self.counters)

    def verify(self, max_window_s: float = 60.0, min_window_s: float = 2.0) -> StepRecord:
        action = Action(wanted=Well(version="v1", instances=2), timeout_s=90, check="well")
        step = self._step(action, verification={"min_window_s": min_window_s,
                                                "max_window_s": max_window_s})  # fmt: skip
        return self.environment.run(MetricsActivities(self.target).verify, step)

    def check_slice(self) -> StepRecord:
        wanted = NotWorse(version="v1", percent=50)
        action = Action(wanted=wanted, timeout_s=90, check="not worse")
        step = self._step(action, slices={"min_s": 2, "requests": 100, "max_s": 60})
        return self.environment.run(SliceActivities(self.target).check_slice, step)

    def _step(self, action: Action, **policy: object) -> Step:
        plan = service_plan().model_copy(update={"policy": Policy.model_validate(policy)})
        mark = Mark(op_id="one", epoch=1, step=1)
        return Step(
            env="test",
            rollback="r",
            plan=plan,
            action=action,
            mark=mark,
            throughput_before=1000.0,
        )

    def until_counted(self) -> None:
        until = time.monotonic() + 30
        while not isinstance(self.counters.snapshot("v1", ["v2"]), Snapshot):
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.fixture
def verified(server: Server) -> Iterator[Verified]:
    with httpx.Client(trust_env=False) as client:
        one = Verified(server, client)
        one.until_counted()
        yield one


def test_users_who_are_well_are_found_well_and_the_proxy_is_not_believed(
    verified: Verified,
) -> None:
    verified.proxy.error_ratio = {"v1": 0.5}  # another counter, which is not the one named
    record = verified.verify()
    assert record.state is StepState.DONE, record.because
    answers = {verdict.check: verdict for verdict in record.verdicts}
    assert all(verdict.answer == "passed" for verdict in record.verdicts)
    assert answers.keys() >= {"error_ratio", "latency_p95", "throughput"}
    assert answers["error_ratio"].because.startswith("0 of ")
    assert record.error_ratio == 0


def test_errors_from_before_the_shift_are_not_held_against_it(verified: Verified) -> None:
    verified.v1.errors = 0.5
    time.sleep(2 * INTERVAL_S)
    verified.v1.page()  # what was until now is counted
    verified.v1.errors = 0.0
    time.sleep(3 * INTERVAL_S)  # more than one scrape, for one may fail on a busy machine
    assert verified.verify().state is StepState.DONE


def test_users_who_are_not_well_are_found_so(verified: Verified) -> None:
    verified.v1.errors = 0.2
    record = verified.verify()
    assert record.state is StepState.FAILED
    assert "error_ratio: " in record.because


def test_answers_that_fail_at_the_front_door_count_though_no_version_gave_them(
    verified: Verified, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, seen = time.monotonic(), verified.proxy.snapshot

    def failing() -> Snapshot:
        own = int(500 * (time.monotonic() - begun))
        return seen().model_copy(update={"own_errors": own})

    monkeypatch.setattr(verified.proxy, "snapshot", failing)
    record = verified.verify()
    assert record.state is StepState.FAILED
    assert "error_ratio: " in record.because


def test_without_counters_nobody_is_found_well(verified: Verified) -> None:
    verified.server.child.send_signal(signal.SIGSTOP)
    try:
        record = verified.verify(max_window_s=8.0)
    finally:
        verified.server.child.send_signal(signal.SIGCONT)
    assert record.state is StepState.INCONCLUSIVE
    assert "error_ratio: Prometheus at " in record.because
    assert "gave no answer within 5 s" in record.because


def test_a_slice_is_judged_beside_the_rest_by_the_same_counters(verified: Verified) -> None:
    verified.proxy.shares_now = {"v1": 50, "v2": 50}
    assert verified.check_slice().state is StepState.DONE
    verified.v1.errors = 0.3
    assert verified.check_slice().state is StepState.FAILED


def test_a_baseline_is_measured_by_the_counters_that_it_is_compared_with(
    verified: Verified,
) -> None:
    window = Window(verified.target("test", "shop"), "v1")
    verified.v1.errors = 0.1
    until = time.monotonic() + 6 * INTERVAL_S + 3
    while time.monotonic() < until:
        verified.environment.run(window.with_more, verified.proxy.snapshot())
        time.sleep(0.2)
    reading = window.reading()
    assert isinstance(reading, Reading)
    assert reading.error_ratio == pytest.approx(0.1, abs=0.06)
    assert reading.requests_per_s == pytest.approx(1000, rel=0.1)
