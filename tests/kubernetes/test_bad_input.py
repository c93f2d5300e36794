"""A cluster that refuses, is slow, busy or away: at the roles, through a proxy before a real API.

What an operator sees of the same in a whole rollback: test_bad_input_rollback.py.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from activities.integrations.kubernetes import Api, Reader, SideBySide
from activities.integrations.kubernetes import api as api_module
from activities.integrations.kubernetes.feed import PodFeed
from activities.integrations.kubernetes.world import FRESH_S, MOST_READING_S
from activities.integrations.kubernetes.writes import TRIES, compare_and_set
from activities.integrations.sql import SqlRecords, engine_for
from activities.look import Looks
from activities.records import Question, RecordActivities
from activities.targets import Target
from demo.kubernetes.api import Refused
from proof.faults import meets
from proof.faults.api_server import ApiProxy
from proof.faults.meets import Request
from proof.stand_ins import StandInService
from rollback_manager.errors import NotFound, PermanentError, TemporaryError, Unreachable
from rollback_manager.platforms import Cluster as Access
from rollback_manager.platforms import Controller, KubernetesTarget
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created, deployment, path_of, pods_of, service, until
from tests.kubernetes.roles import SetCounters, mark, service_traffic

pytestmark = pytest.mark.usefixtures("kubelet")


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[ApiProxy]:
    """The real API, as it is or as a test has it."""
    with ApiProxy(cluster.kubeconfig) as made:
        yield made


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> str:
    """Blue has v1 and no pods, green has v2 and three."""
    created(cluster.api, namespace, deployment("shop-blue", "v1", 0, app="shop"))
    created(cluster.api, namespace, deployment("shop-green", "v2", 3, app="shop"))
    until(lambda: pods_of(cluster.api, namespace, "shop"), lambda pods: len(pods) == 3)
    return namespace


@pytest.fixture
def own(proxy: ApiProxy, shop: str, tmp_path: Path) -> Reader:
    """Of the shop, through the proxy."""
    return reader(proxy, shop, tmp_path)


def reader(proxy: ApiProxy, shop: str, tmp_path: Path) -> Reader:
    """Of both Deployments in that namespace."""
    access = Access(kubeconfig=str(proxy.kubeconfig_in(tmp_path / "k")), context="local")
    target = KubernetesTarget(
        kind="kubernetes",
        cluster="main",
        namespace=shop,
        controller=Controller.DEPLOYMENT,
        names=("shop-blue", "shop-green"),
    )
    api = Api("main", access)
    return Reader(api, target, PodFeed(api, shop))


def replicas(cluster: Cluster, namespace: str) -> int:
    found = cluster.api.get(path_of("deployments", namespace, "shop-blue"))["spec"]["replicas"]
    assert isinstance(found, int)
    return found


def role(cluster: Cluster, namespace: str, user: str, *verbs: str) -> None:
    """Those rights, and no other, on what the shop is made of."""
    rule = {"apiGroups": ["apps", ""], "resources": ["deployments", "replicasets", "pods"]}
    body = {"kind": "Role", "metadata": {"name": user}, "rules": [rule | {"verbs": list(verbs)}]}
    created(cluster.api, namespace, body)
    bound = {
        "kind": "RoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
        "subjects": [{"kind": "User", "name": user}],
    }
    created(cluster.api, namespace, bound)


def test_a_right_that_is_missing_is_named(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader, tmp_path: Path
) -> None:
    role(cluster, shop, "deployer", "get", "list")
    proxy.kubeconfig_in(tmp_path / "k", cluster.own.token("deployer"))
    workloads = SideBySide(own)
    until(lambda: _allowed(workloads), bool)
    with pytest.raises(PermanentError) as refusal:
        workloads.scale("v1", 3, mark(0))
    assert 'User "deployer" cannot patch resource "deployments"' in refusal.value.what
    assert "doctor --kubernetes" in refusal.value.next_step
    assert replicas(cluster, shop) == 0
    assert len(proxy.passed(meets.writes)) == 1


@contextmanager
def policy(cluster: Cluster, namespace: str, message: str) -> Iterator[None]:
    """A ValidatingAdmissionPolicy of somebody else's, who wants no Deployment changed there."""
    root, name = "/apis/admissionregistration.k8s.io/v1", f"deny-{namespace}"
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
    denies = {
        "matchConstraints": {"resourceRules": [rule | {"operations": ["UPDATE"]}], **only},
        "validations": [{"expression": "false", "message": message}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    kinds = {"validatingadmissionpolicies": denies, "validatingadmissionpolicybindings": binding}
    for plural, spec in kinds.items():
        cluster.api.post(f"{root}/{plural}", {"metadata": {"name": name}, "spec": spec})
    try:
        yield
    finally:
        for plural in reversed(kinds):
            cluster.api.delete(f"{root}/{plural}/{name}")


def is_denied(cluster: Cluster, path: str) -> bool:
    """Whether the policy is in force, which takes a moment."""
    try:
        cluster.api.patch(f"{path}?dryRun=All", {"metadata": {"labels": {"x": "y"}}})
    except Refused:
        return True
    return False


def is_there(cluster: Cluster, path: str) -> bool:
    """Whether the API has it."""
    try:
        return bool(cluster.api.get(path))
    except Refused:
        return False


def _allowed(workloads: SideBySide) -> bool:
    try:
        return bool(workloads.versions())
    except PermanentError:
        return False


def test_a_token_that_was_rotated_is_read_anew(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader, tmp_path: Path
) -> None:
    workloads = SideBySide(own)
    assert workloads.versions()["v2"].running == 3
    old, new = cluster.own.token(), cluster.account_token(shop, "robot")
    cluster.kubectl(
        *("create", "clusterrolebinding", f"robot-{shop}", "--clusterrole=cluster-admin"),
        f"--serviceaccount={shop}:robot",
    )
    ended = meets.refusing(401, "Unauthorized", "Unauthorized")
    proxy.meet(ended, lambda request: request.token == old, times=1000)
    proxy.kubeconfig_in(tmp_path / "k", new)
    workloads.scale("v1", 2, mark(0))
    assert replicas(cluster, shop) == 2
    assert proxy.passed()[-1].request.token == new


def test_a_token_that_ended_for_good_is_tried_twice(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader, tmp_path: Path
) -> None:
    proxy.kubeconfig_in(tmp_path / "k", "of-nobody")  # the API server itself says 401
    with pytest.raises(PermanentError) as refusal:
        SideBySide(own).scale("v1", 3, mark(0))
    assert refusal.value.what.startswith("cluster main no longer accepts the worker's credentials")
    assert "retry-step" in refusal.value.next_step
    assert [one.status for one in proxy.passed()] == [401, 401]
    assert replicas(cluster, shop) == 0


def test_who_is_told_to_wait_waits_with_all_that_it_asks(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader
) -> None:
    workloads = SideBySide(own)
    assert workloads.versions()
    busy = meets.refusing(429, "too many requests", headers={"Retry-After": "2"})
    proxy.meet(busy)
    own.forget()
    begun = time.monotonic()
    with pytest.raises(TemporaryError, match=r"answered 429 to GET .*too many requests") as told:
        workloads.versions()
    assert told.value.retry_after_s == 2
    for _ in range(20):
        with pytest.raises(TemporaryError, match=r"is left alone for [12] s more") as again:
            workloads.scale("v1", 3, mark(0))
        assert 0 < again.value.retry_after_s <= 2
    assert [one.status for one in proxy.passed(since=begun)] == [429], "nothing else was asked"
    time.sleep(told.value.retry_after_s)
    workloads.scale("v1", 3, mark(0))
    assert replicas(cluster, shop) == 3


def test_a_storm_of_conflicts_ends(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader
) -> None:
    def written_before(_: Request, forward: meets.Forward) -> meets.Answer:
        number = str(len(proxy.passed(meets.writes)))
        path = path_of("deployments", shop, "shop-blue")
        cluster.api.patch(path, {"metadata": {"labels": {"n": number}}})
        return forward()

    workloads = SideBySide(own)
    proxy.meet(written_before, meets.writes, times=1000)
    with pytest.raises(TemporaryError) as blocked:
        workloads.scale("v1", 3, mark(0))
    words = f"is blocked: somebody wrote it at each of {TRIES} tries, last python-httpx at"
    assert words in blocked.value.what
    assert len(proxy.passed(meets.writes)) in (TRIES, TRIES + 1), "one more from a look"
    assert replicas(cluster, shop) == 0


def test_a_change_that_never_fits_is_no_conflict(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader
) -> None:
    path = path_of("deployments", shop, "shop-blue")
    wrong = [{"op": "replace", "path": "/spec/nothing/there", "value": 1}]
    with pytest.raises(
        PermanentError, match=r"refuses our change of .*, and nobody has written it"
    ):
        compare_and_set(own.api, path, mark(0), lambda _: wrong)
    assert len(proxy.passed(meets.writes)) <= 3  # a controller may still have counted


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_is_no_answer(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader, status: int
) -> None:
    workloads = SideBySide(own)
    assert workloads.versions()
    proxy.meet(meets.refusing(status, "etcdserver: leader changed"), meets.writes)
    with pytest.raises(Unreachable, match=rf"answered {status} to PATCH .*leader changed"):
        workloads.scale("v1", 3, mark(0))
    assert replicas(cluster, shop) == 0
    workloads.scale("v1", 3, mark(0))
    assert replicas(cluster, shop) == 3


def test_a_lost_answer_is_settled_by_reading(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader
) -> None:
    workloads = SideBySide(own)
    assert workloads.versions()
    proxy.meet(meets.lost_answer, meets.writes)
    with pytest.raises(Unreachable) as lost:
        workloads.scale("v1", 3, mark(0))
    assert lost.value.effect == "Whether a write arrived is read before it is tried again."
    assert len(proxy.passed(meets.writes)) == 1, "the client tries nothing again by itself"
    assert replicas(cluster, shop) == 3


def test_pages_that_are_gone_are_asked_for_from_the_start(
    proxy: ApiProxy, own: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "PAGE", 2)
    expired = meets.refusing(410, "The provided continue parameter is too old", "Expired")
    proxy.meet(expired, lambda request: "continue=" in request.query)
    assert SideBySide(own).versions()["v2"].running == 3


def test_pages_that_are_always_gone_are_not_asked_for_for_ever(
    proxy: ApiProxy, own: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "PAGE", 2)
    expired = meets.refusing(410, "The provided continue parameter is too old", "Expired")
    proxy.meet(expired, lambda request: "continue=" in request.query, times=1000)
    with pytest.raises(TemporaryError, match=r"forgot the list .*/pods before .*, 3 times"):
        SideBySide(own).versions()


@pytest.mark.long
def test_nothing_is_decided_on_what_was_read_before_a_partition(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader
) -> None:
    workloads, healed = SideBySide(own), threading.Event()
    assert workloads.versions()["v1"].running == 0
    proxy.meet(meets.black_hole(healed), times=1000)
    proxy.hush()  # the watch of pods stays open, and tells nothing any more
    try:
        cluster.kubectl("-n", shop, "scale", "deployment/shop-blue", "--replicas=1")
        time.sleep(FRESH_S)
        begun = time.monotonic()
        with pytest.raises(Unreachable, match=r"gave no answer to GET .*: ReadTimeoutError"):
            workloads.versions()
        assert time.monotonic() - begun < 7
    finally:
        proxy.calm()
        healed.set()
    assert workloads.versions()["v1"].running == 1, "the very first reading is a new one"


def test_what_is_declared_at_the_end_is_read_anew(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader, tmp_path: Path
) -> None:
    """Another worker has written a moment ago, and our watch has not told of it yet."""
    created(cluster.api, shop, service("shop", "v2"))
    traffic = service_traffic(own, SetCounters())
    target = Target(
        traffic=traffic, workloads=SideBySide(own), journeys=StandInService({}, {}), anew=own.anew
    )
    engine = engine_for(f"sqlite:///{tmp_path / 'records.sqlite'}")
    records = SqlRecords(engine)
    observe = RecordActivities(records, records, lambda *_: target).observe
    until(lambda: Looks(target).take().able("v2"), lambda able: able == 3)
    proxy.hush()
    cluster.kubectl("-n", shop, "scale", "deployment/shop-green", "--replicas=0")
    until(lambda: pods_of(cluster.api, shop, "shop"), lambda pods: not pods)
    assert observe(Question(env="test", service="shop")).found.ready["v2"] == 0
    engine.dispose()


def test_a_watch_whose_answer_never_begins_is_given_up(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader
) -> None:
    """Else pods that left would be seen as leaving for a minute: it has not begun to tell."""
    never = threading.Event()
    proxy.meet(meets.black_hole(never), lambda request: request.watches)
    until(lambda: sum(pod.ready for pod in own.now().pods), lambda ready: ready == 3)
    path = path_of("pods", shop, own.now().pods[0].name)
    cluster.api.delete(path)
    until(lambda: path.rpartition("/")[2] not in {p.name for p in own.now().pods}, bool, 30.0)
    never.set()


@pytest.mark.long
def test_a_reading_whose_parts_are_far_apart_is_none(proxy: ApiProxy, own: Reader) -> None:
    slow_s = MOST_READING_S / 2 + 0.2
    proxy.meet(meets.late(slow_s), lambda request: "/deployments/" in request.path, times=2)
    with pytest.raises(Unreachable, match=r"took [5-9] s for one reading of shop-blue, shop-green"):
        SideBySide(own).versions()
    assert SideBySide(own).versions()["v2"].running == 3


def test_the_age_of_a_reading_counts_from_its_beginning(proxy: ApiProxy, own: Reader) -> None:
    proxy.meet(meets.late(FRESH_S + 0.2), lambda request: request.path.endswith("/pods"))
    first = own.now()
    assert own.now() is not first, "its first part is older than FRESH_S"


def test_a_policy_that_denies_is_an_answer_and_no_conflict(
    cluster: Cluster, proxy: ApiProxy, shop: str, own: Reader
) -> None:
    denied = f"no test or patch of {shop} on a Friday"
    with policy(cluster, shop, denied):
        workloads = SideBySide(own)
        until(lambda: is_denied(cluster, path_of("deployments", shop, "shop-blue")), bool)
        with pytest.raises(PermanentError) as refusal:
            workloads.scale("v1", 3, mark(0))
    assert denied in refusal.value.what
    assert "denied request" in refusal.value.what
    assert refusal.value.effect == "Nothing was changed by this request."
    assert refusal.value.next_step == "Mend what it names, then retry-step; or abort."
    assert len(proxy.passed(meets.writes)) == 1
    assert replicas(cluster, shop) == 0


@pytest.mark.long
def test_a_namespace_that_is_being_deleted_is_said(
    cluster: Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    shop = f"ends-{uuid.uuid4().hex[:10]}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": shop}})
    created(cluster.api, shop, deployment("shop-blue", "v1", 0, app="shop"))
    created(cluster.api, shop, deployment("shop-green", "v2", 3, app="shop"))
    workloads = SideBySide(own := reader(proxy, shop, tmp_path))
    assert workloads.versions()
    cluster.api.delete(f"/api/v1/namespaces/{shop}")
    path = path_of("deployments", shop, "shop-blue")
    until(lambda: is_there(cluster, path), lambda there: not there)
    own.forget()
    with pytest.raises(NotFound) as gone:
        workloads.scale("v1", 3, mark(0))
    assert 'deployments.apps "shop-blue" not found' in gone.value.what
    assert "is its namespace not being deleted?" in gone.value.next_step
    assert not proxy.passed(meets.writes)
