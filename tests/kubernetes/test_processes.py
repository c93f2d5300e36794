"""Pods with a process each, on addresses of their own, as their own probes find them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from demo.kubernetes import manifests
from demo.kubernetes.api import MERGE, Object
from demo.kubernetes.pods import digest_of, is_ready, waiting_for
from demo.kubernetes.processes import Processes, Registry, local
from demo.ports import PortBlock
from demo.processes import is_running
from tests.kubernetes import objects as o
from tests.kubernetes.cluster import Cluster


class Shop:
    """One Deployment whose pods are processes."""

    def __init__(self, cluster: Cluster, namespace: str, port: int, registry: Registry) -> None:
        self.cluster, self.namespace, self.port = cluster, namespace, port
        self.registry = registry
        self.path = o.path_of("deployments", namespace, "shop")

    def deploy(self, image: str, replicas: int = 1) -> None:
        body = manifests.deployment("shop", {"app": "shop"}, "v1", image, self.port, replicas)
        o.created(self.cluster.api, self.namespace, body)

    def until_rolled_out(self) -> Object:
        return o.until(lambda: self.cluster.api.get(self.path), o.rolled_out)

    def scale(self, replicas: int) -> None:
        self.cluster.api.patch(self.path, {"spec": {"replicas": replicas}}, MERGE)

    def pods(self) -> list[Object]:
        return o.pods_of(self.cluster.api, self.namespace, "shop")

    def get(self, path: str) -> tuple[int, str]:
        (pod,) = self.pods()
        try:
            with urlopen(f"http://{local(pod['status']['podIP'])}:{self.port}{path}") as answer:
                return answer.status, answer.headers["x-version"]
        except HTTPError as error:
            return error.code, ""
        except URLError:
            return 0, ""  # it does not listen yet


@pytest.fixture
def processes(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Processes]:
    made = Processes(Registry(), tmp_path)
    cluster.kubelet.runtimes[namespace] = made
    yield made
    del cluster.kubelet.runtimes[namespace]
    made.close()


@pytest.fixture
def shop(cluster: Cluster, namespace: str, processes: Processes) -> Iterator[Shop]:
    ports = PortBlock()
    yield Shop(cluster, namespace, ports.take(), processes.registry)
    ports.close()


def test_a_pod_answers_as_its_image_does_and_goes_when_its_process_has(
    shop: Shop, processes: Processes
) -> None:
    shop.deploy(shop.registry.push("v7", drain_s=0.5))
    shop.until_rolled_out()
    assert shop.get("/checkout") == (200, "v7")
    (pid,) = processes.pids()
    began = time.monotonic()
    shop.scale(0)
    o.until(lambda: shop.pods(), lambda found: not found)
    assert time.monotonic() - began > 0.4, "it went before its process had drained"
    assert not is_running(pid)


def test_an_image_is_found_by_its_digest(shop: Shop) -> None:
    reference = shop.registry.push("v7", error_ratio=1)
    shop.deploy(f"shop@{digest_of(reference)}")
    shop.until_rolled_out()
    assert shop.get("/checkout")[0] == 500
    (pod,) = shop.pods()
    assert pod["status"]["containerStatuses"][0]["imageID"].endswith(digest_of(reference))


def test_an_image_that_nobody_pushed_cannot_be_pulled(shop: Shop) -> None:
    shop.deploy("shop:v9")
    (pod,) = o.until(shop.pods, lambda found: [one for one in found if waiting_for(one)])
    assert waiting_for(pod) == "ImagePullBackOff"


def test_it_is_ready_when_its_own_probe_says_so(shop: Shop) -> None:
    shop.deploy(shop.registry.push("v7", warm_up_s=1.5))
    o.until(shop.pods, lambda found: [one for one in found if one["status"].get("podIP")])
    o.until(lambda: shop.get("/ready")[0], lambda status: status == 503)
    assert not is_ready(shop.pods()[0])
    shop.until_rolled_out()
    assert shop.get("/ready")[0] == 200


def test_a_process_that_dies_takes_its_pod_down_and_is_started_again(
    shop: Shop, processes: Processes
) -> None:
    shop.deploy(shop.registry.push("v7"))
    shop.until_rolled_out()
    (pid,) = processes.pids()
    os.kill(pid, signal.SIGKILL)
    (pod,) = o.until(shop.pods, lambda found: [one for one in found if waiting_for(one)])
    assert (waiting_for(pod), is_ready(pod)) == ("CrashLoopBackOff", False)
    (pod,) = o.until(shop.pods, lambda found: [one for one in found if is_ready(one)])
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1
    assert shop.get("/")[0] == 200


def test_a_pod_that_is_deleted_by_force_leaves_no_process(shop: Shop, processes: Processes) -> None:
    shop.deploy(shop.registry.push("v7", drain_s=30))
    shop.until_rolled_out()
    (pid,) = processes.pids()
    (pod,) = shop.pods()
    shop.scale(0)
    path = o.path_of("pods", shop.namespace, pod["metadata"]["name"])
    shop.cluster.api.delete(path, gracePeriodSeconds=0)
    o.until(lambda: is_running(pid), lambda runs: not runs, 5)


def test_processes_end_with_whoever_runs_them(tmp_path: Path) -> None:
    ports = PortBlock()
    script = (
        "import sys, time; from pathlib import Path\n"
        "from demo.kubernetes.processes import Processes, Registry\n"
        "made = Processes(Registry(), Path(sys.argv[1])); image = made.registry.push('v7')\n"
        "container = {'image': image, 'ports': [{'containerPort': int(sys.argv[2])}]}\n"
        "pod = {'metadata': {'uid': 'u', 'name': 'shop'}, 'spec': {'containers': [container]}}\n"
        "while not made.run(pod, '10.64.0.9', lambda: None).ready: time.sleep(0.05)\n"
        "print(*made.pids(), flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(ports.take())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_running(pid)
        owner.kill()
    ports.close()
    o.until(lambda: is_running(pid), lambda runs: not runs, 5)
