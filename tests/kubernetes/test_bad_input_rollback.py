"""What an operator sees when the cluster refuses, is busy or away in the middle of a rollback.

The product's own worker in a process of its own, a real API server behind a proxy, users whom the
cluster sends; the sentences are those of `status` and of the plan.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from proof.faults import meets
from proof.faults.meets import Answer, Forward, Request
from proof.kubernetes.bench import Bench
from proof.kubernetes.case import Case
from proof.kubernetes.oracle import violations
from proof.kubernetes.placement import APP, PLACEMENTS, folder_of
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand, StepCommand
from rollback_manager.progress import EndState, Result, RollbackOutcome, RollbackStatus, State
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created
from tests.kubernetes.test_bad_input import is_denied, policy

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]
PATIENCE_S = 90.0
ALWAYS = 1_000_000


@pytest.fixture(scope="module")
async def bench(cluster: Cluster) -> AsyncIterator[Bench]:
    """On the control plane of these tests, with a Temporal and workers of its own."""
    async with Bench(cluster.own) as made:
        yield made


@pytest.fixture
async def case(bench: Bench) -> AsyncIterator[Case]:
    """Blue/green by a Service; its worker comes through the proxy."""
    async with bench.case(PLACEMENTS["blue_green"]) as made:
        made.through_proxy = True
        yield made


async def asks(rollback: Rollback) -> RollbackStatus:
    """Until it waits for a person."""
    async with asyncio.timeout(PATIENCE_S):
        while (status := await rollback.status()).state is not State.NEEDS_HUMAN:
            await asyncio.sleep(0.2)
    return status


async def ends(case: Case, rollback: Rollback) -> None:
    """Until it is over, and all was done once and right."""
    account = await case.account(rollback)
    assert violations(account, None) == []


async def given_up(rollback: Rollback) -> RollbackOutcome:
    """A person aborts: how it was left."""
    await rollback.abort(AbortCommand(by="anna"))
    async with asyncio.timeout(PATIENCE_S):
        return await rollback.result()


async def again(case: Case, rollback: Rollback, step: str) -> None:
    """A person has mended it."""
    command = StepCommand(step=step, by="anna", reason="mended")
    await rollback.step("retry_step", case.service, command)


def is_switch(request: Request) -> bool:
    """The write that gives the traffic to the other version."""
    return request.writes and "/services/" in request.path


def traffic_of(cluster: Cluster, case: Case) -> str:
    """The version that the Service selects."""
    found = cluster.api.get(f"{folder_of('Service', case.key)}/{APP}")["spec"]["selector"]
    return str(found["app.kubernetes.io/version"])


async def test_credentials_that_ended_wait_for_a_person(cluster: Cluster, case: Case) -> None:
    ended = meets.refusing(401, "Unauthorized", "Unauthorized")
    case.proxy.meet(ended, is_switch, times=2)  # at the write and, read anew, once more
    case.start_worker()
    rollback = await case.start()
    status = await asks(rollback)
    assert status.waits_for.startswith(
        "redirect_traffic failed: cluster main no longer accepts the worker's credentials (PATCH"
    ), status.waits_for
    since = time.monotonic()
    await asyncio.sleep(3)
    assert case.proxy.passed(meets.writes, since) == [], "nobody tries it for ever"
    assert traffic_of(cluster, case) == "v2", "target unchanged"
    await again(case, rollback, "redirect_traffic")
    await ends(case, rollback)


async def test_a_token_that_is_rotated_in_the_middle_needs_nobody(
    cluster: Cluster, case: Case
) -> None:
    new = cluster.account_token(case.key, "robot")
    name = f"robot-{case.key}"
    cluster.kubectl(
        *("create", "clusterrolebinding", name, "--clusterrole=cluster-admin"),
        f"--serviceaccount={case.key}:robot",
    )
    old: list[str] = []

    def rotates(request: Request, _: Forward) -> Answer | None:
        old.append(request.token)
        case.proxy.kubeconfig_in(case.kubeconfig, new)
        ended = meets.refusing(401, "Unauthorized", "Unauthorized")
        case.proxy.meet(ended, lambda one: one.token == old[0], times=ALWAYS)
        return ended(request, lambda: Answer(0, b""))

    case.proxy.meet(rotates, is_switch)
    case.start_worker()
    await ends(case, await case.start())
    assert case.proxy.passed(is_switch)[-1].request.token == new != old[0]
    cluster.kubectl("delete", "clusterrolebinding", name)


async def test_a_right_that_is_missing_is_named_and_nothing_moves(
    cluster: Cluster, case: Case
) -> None:
    rules = [
        {
            "apiGroups": ["apps", "", "discovery.k8s.io"],
            "resources": ["*"],
            "verbs": ["get", "list"],
        },
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]},
    ]
    created(cluster.api, case.key, {"kind": "Role", "metadata": {"name": "d"}, "rules": rules})
    bound = {
        "kind": "RoleBinding",
        "metadata": {"name": "d"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "d"},
        "subjects": [{"kind": "User", "name": "deployer"}],
    }
    created(cluster.api, case.key, bound)
    case.proxy.kubeconfig_in(case.kubeconfig, cluster.own.token("deployer"))
    case.start_worker()
    outcome = await (await case.start()).result()
    assert 'User "deployer" cannot get resource "namespaces"' in outcome.because, "whose UID it is"
    assert not outcome.services, "it is said before anything begins"
    assert not case.proxy.passed(meets.writes)
    assert traffic_of(cluster, case) == "v2"


async def test_a_policy_that_denies_is_said_and_nothing_moves(cluster: Cluster, case: Case) -> None:
    path = f"{folder_of('Deployment', case.key)}/{APP}-v1"
    with policy(cluster, case.key, "change freeze until Monday"):
        while not is_denied(cluster, path):
            await asyncio.sleep(0.1)
        case.start_worker()
        outcome = await (await case.start()).result()
        assert "denied request: change freeze until Monday" in outcome.because
        assert not outcome.services, "it is said before anything begins"
        assert not case.proxy.passed(meets.writes)
    assert cluster.api.get(path)["spec"]["replicas"] == 2


async def test_a_partition_in_the_middle_of_a_step_passes_by_itself(case: Case) -> None:
    healed, cut = threading.Event(), threading.Event()

    def parts(request: Request, forward: Forward) -> Answer | None:
        cut.set()
        case.proxy.hush()
        case.proxy.meet(meets.black_hole(healed), times=ALWAYS)
        return meets.black_hole(healed)(request, forward)

    case.proxy.meet(parts, is_switch)
    case.start_worker()
    rollback = await case.start()
    await case.until("the partition begins", cut.is_set)
    try:
        await asyncio.sleep(12)
        assert (await rollback.status()).state is State.RUNNING
    finally:
        case.proxy.calm()
        healed.set()
    since = time.monotonic()
    account = await case.account(rollback)
    assert violations(account, None) == []
    looked = [one for one in case.proxy.passed(since=since) if not one.request.writes]
    written = [one for one in case.proxy.passed(is_switch, since) if one.status == 200]
    assert looked[0].at < written[0].at, "it was looked at anew before anything was written"


async def test_a_busy_cluster_is_left_alone_as_long_as_it_asks(case: Case) -> None:
    busy = meets.refusing(429, "too many requests", headers={"Retry-After": "3"})
    case.proxy.meet(busy, is_switch)
    case.start_worker()
    rollback = await case.start()
    await case.until("it is refused", lambda: bool(case.proxy.passed(is_switch)))
    begun = case.proxy.passed(is_switch)[0].at
    await ends(case, rollback)
    soon = [one for one in case.proxy.passed(since=begun) if one.at < begun + 2.9]
    assert [one.status for one in soon if one.at > begun + 0.2] == [], "all of its looks wait"


async def test_a_server_that_fails_for_a_while_needs_nobody(case: Case) -> None:
    failing = meets.refusing(500, "etcdserver: leader changed")
    case.proxy.meet(failing, is_switch, times=3)
    case.start_worker()
    await ends(case, await case.start())
    assert [one.status for one in case.proxy.passed(is_switch)] == [500, 500, 500, 200]


async def test_an_autoscaler_that_fights_is_seen_and_no_traffic_moves(
    cluster: Cluster, case: Case
) -> None:
    path, over = f"{folder_of('Deployment', case.key)}/{APP}-v1", threading.Event()

    def fights() -> None:
        """A stand-in for a HorizontalPodAutoscaler with a maximum of two."""
        while not over.wait(0.1):
            if cluster.api.get(path)["spec"]["replicas"] != 2:
                cluster.api.patch(path, {"spec": {"replicas": 2}})

    with ExitStack() as stack:
        thread = threading.Thread(target=fights)
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)
        case.start_worker()
        rollback = await case.start()
        status = await asks(rollback)
        assert "deployment/shop-v1 was scaled to 2, not 4: written by " in status.waits_for
        outcome = await given_up(rollback)
    assert [one.end for one in outcome.services] == [EndState.UNTOUCHED]
    assert traffic_of(cluster, case) == "v2"


async def test_another_writer_at_twenty_a_second_is_no_obstacle(
    cluster: Cluster, case: Case
) -> None:
    over = threading.Event()
    paths = [f"{folder_of('Service', case.key)}/{APP}"]
    paths += [f"{folder_of('Deployment', case.key)}/{APP}-{version}" for version in ("v1", "v2")]

    def writes() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            for path in paths:
                cluster.api.patch(path, {"metadata": {"annotations": {"turn": str(number)}}})

    thread = threading.Thread(target=writes)
    thread.start()
    try:
        case.start_worker()
        outcome = await case.outcome(await case.start())
    finally:
        over.set()
        thread.join()
    assert outcome.result is Result.VERIFIED, outcome
    assert traffic_of(cluster, case) == "v1"


async def test_a_wrong_context_is_no_plan(bench: Bench) -> None:
    async with bench.case(PLACEMENTS["blue_green"]) as case:
        for name in ("direct", "proxied"):
            file = case.data / f"{name}.yaml"
            file.write_text(file.read_text().replace('"context": "local"', '"context": "prod"'))
        case.start_worker()
        await case.until_ready()
        planned = await case.rollbacks.plan(case.request())
    assert planned.plan is None
    assert planned.blocked_because.startswith("no way to cluster main by context prod of ")
    assert planned.effect == "Nothing was changed there."
    assert planned.next_step == (
        "See `clusters` in the catalogue; kubectl config get-contexts lists yours."
    )


async def test_a_deployment_without_the_old_template_is_no_plan(
    cluster: Cluster, bench: Bench
) -> None:
    async with bench.case(PLACEMENTS["rolling_update"]) as case:
        path = f"{folder_of('Deployment', case.key)}/{APP}"
        cluster.api.patch(path, {"spec": {"revisionHistoryLimit": 0}})
        sets = f"/apis/apps/v1/namespaces/{case.key}/replicasets"
        while len(cluster.api.get(sets)["items"]) > 1:
            await asyncio.sleep(0.1)
        case.start_worker()
        await case.until_ready()
        planned = await case.rollbacks.plan(case.request())
    assert planned.plan is None
    assert "v1" in planned.blocked_because, planned
    assert planned.next_step, planned


async def test_a_namespace_that_is_gone_is_no_plan(cluster: Cluster, bench: Bench) -> None:
    async with bench.case(PLACEMENTS["blue_green"]) as case:
        path = folder_of("Deployment", case.key)
        cluster.api.delete(f"/api/v1/namespaces/{case.key}")
        while cluster.api.get(path)["items"]:
            await asyncio.sleep(0.1)
        case.start_worker()
        await case.until_ready()
        planned = await case.rollbacks.plan(case.request())
    assert planned.plan is None
    assert 'deployments.apps "shop-v1" not found' in planned.blocked_because
    assert "is its namespace not being deleted?" in planned.next_step
