"""Pods by watch: as they are, and never trusted against what the controllers themselves say."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from activities.integrations.kubernetes import Api, PodFeed, Reader, world
from rollback_manager.platforms import KubernetesTarget
from tests.kubernetes import roles
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.objects import created, deployment, path_of, rolled_out, until

pytestmark = pytest.mark.usefixtures("kubelet")
MERGE = "application/merge-patch+json"


class DeafFeed(PodFeed):
    """Its watch is open and says nothing any more, as one does behind a dead load balancer."""

    def _follow(self, turn: int, since: str) -> None:
        return


class LossyFeed(PodFeed):
    """Its watch never tells of the end of a pod."""

    def _take_in(self, turn: int, lines: Iterator[bytes], since: str) -> str:
        kept = (line for line in lines if b'"type":"DELETED"' not in line)
        return super()._take_in(turn, kept, since)


class BrokenFeed(PodFeed):
    """Its watch ends by an error that nobody thought of."""

    def _take_in(self, turn: int, lines: Iterator[bytes], since: str) -> str:
        raise AttributeError("the connection is gone")


def scaled(cluster: Cluster, namespace: str, replicas: int) -> None:
    """Told so, and done."""
    path = path_of("deployments", namespace, "shop")
    cluster.api.patch(path, {"spec": {"replicas": replicas}}, MERGE)
    until(partial(cluster.api.get, path), rolled_out)


def own_reader(api: Api, namespace: str, feed: PodFeed) -> Reader:
    """Of the one Deployment."""
    target = KubernetesTarget(
        kind="kubernetes", cluster="test", namespace=namespace, names=("shop",)
    )
    return Reader(api, target, feed)


def ready(reader: Reader) -> int:
    """Pods that it takes for ready."""
    return sum(pod.ready for pod in reader.now().of("shop"))


def test_pods_are_seen_without_asking_for_them_again(cluster: Cluster, namespace: str) -> None:
    created(cluster.api, namespace, deployment("shop", "v1", 2))
    scaled(cluster, namespace, 2)
    api = roles.api(cluster)
    reader = own_reader(api, namespace, PodFeed(api, namespace))
    assert ready(reader) == 2
    before = len(cluster.ledger)
    scaled(cluster, namespace, 5)
    until(partial(ready, reader), lambda count: count == 5)
    asked = [c for c in cluster.ledger.calls(namespace, since=before) if c.resource == "pods"]
    assert not [c for c in asked if c.agent == "rollback-manager" and c.verb == "list"]


def test_a_watch_is_not_distrusted_while_pods_come_and_go(cluster: Cluster, namespace: str) -> None:
    created(cluster.api, namespace, deployment("shop", "v1", 2))
    scaled(cluster, namespace, 2)
    api = roles.api(cluster)
    reader = own_reader(api, namespace, PodFeed(api, namespace))
    assert ready(reader) == 2
    before = len(cluster.ledger)
    path = path_of("deployments", namespace, "shop")
    cluster.api.patch(path, {"spec": {"replicas": 40}}, MERGE)
    until(lambda: [reader.now(0.0), ready(reader)][1], lambda count: count == 40)
    asked = [c for c in cluster.ledger.calls(namespace, since=before) if c.resource == "pods"]
    assert not [c for c in asked if c.agent == "rollback-manager" and c.verb == "list"]


def test_a_watch_that_went_deaf_is_found_out(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "FRESH_S", 0.1)
    created(cluster.api, namespace, deployment("shop", "v1", 2))
    scaled(cluster, namespace, 2)
    api = roles.api(cluster)
    reader = own_reader(api, namespace, DeafFeed(api, namespace))
    assert ready(reader) == 2
    scaled(cluster, namespace, 0)
    until(lambda: sum(pod.ready for pod in reader.now(0.1).of("shop")), lambda count: count == 0)


def test_a_watch_that_is_too_old_is_told_so(cluster: Cluster, namespace: str) -> None:
    feed = PodFeed(roles.api(cluster), namespace)
    error = b'{"type": "ERROR", "object": {"code": 410, "message": "too old resource version: 1"}}'
    with pytest.raises(ValueError, match="too old resource version"):
        feed._take_in(feed._turn, iter([error]), "1")


def test_a_pod_that_should_be_gone_by_now_is_asked_for_again(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "OVERDUE", timedelta(seconds=0.5))
    created(cluster.api, namespace, deployment("shop", "v1", 2))
    scaled(cluster, namespace, 2)
    api = roles.api(cluster)
    reader = own_reader(api, namespace, LossyFeed(api, namespace))
    assert ready(reader) == 2
    scaled(cluster, namespace, 0)
    until(lambda: reader.now(0.1).of("shop"), lambda pods: not pods)


def test_a_watch_that_ended_by_any_error_is_begun_anew(cluster: Cluster, namespace: str) -> None:
    created(cluster.api, namespace, deployment("shop", "v1", 2))
    scaled(cluster, namespace, 2)
    api = roles.api(cluster)
    reader = own_reader(api, namespace, BrokenFeed(api, namespace))
    assert ready(reader) == 2
    scaled(cluster, namespace, 5)
    until(lambda: ready(reader), lambda count: count == 5)
