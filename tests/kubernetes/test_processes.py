"""Pods with a process each, on addresses of their own."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from demo.kubernetes.api import Object, connected
from demo.kubernetes.kubelet import Kubelet
from demo.kubernetes.pods import is_ready
from demo.kubernetes.processes import PodProcesses, address_of
from tests.kubernetes import objects as o
from tests.kubernetes.cluster import Cluster

PORT = 8080


def serve(pod: Object, address: str) -> list[str]:
    image = pod["spec"]["containers"][0]["image"]
    script = (
        "import sys; from http.server import *\n"
        "class H(BaseHTTPRequestHandler):\n"
        " def do_GET(self): self.send_response(200); self.end_headers(); "
        "self.wfile.write(sys.argv[1].encode())\n"
        "ThreadingHTTPServer((sys.argv[2], int(sys.argv[3])), H).serve_forever()\n"
    )
    return [sys.executable, "-c", script, image, address, str(PORT)]


@pytest.fixture
def running(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[PodProcesses]:
    """A second set of machines, which runs what names their scheduler."""
    with (
        connected(cluster.kubeconfig) as api,
        PodProcesses(tmp_path, serve, PORT) as processes,
        Kubelet(api, 1, name="running", others=True, processes=processes),
    ):
        yield processes


def test_a_pod_serves_at_its_address_and_its_process_ends_with_it(
    cluster: Cluster, namespace: str, running: PodProcesses
) -> None:
    body = o.deployment("shop", "v1", 1)
    body["spec"]["template"]["spec"]["schedulerName"] = "running"
    path = o.path_of("deployments", namespace, "shop")
    o.created(cluster.api, namespace, body)
    o.until(lambda: cluster.api.get(path), o.rolled_out)
    (pod,) = o.pods_of(cluster.api, namespace, "shop")
    with urlopen(f"http://{address_of(pod['status']['podIP'])}:{PORT}", timeout=5) as answer:
        assert answer.read() == b"registry.test/shop:v1"
    (pid,) = running.pids().values()
    cluster.api.patch(path, {"spec": {"replicas": 0}})
    o.until(lambda: o.pods_of(cluster.api, namespace, "shop"), lambda found: not found)
    assert running.pids() == {}
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_dies_takes_its_pod_down(
    cluster: Cluster, namespace: str, running: PodProcesses
) -> None:
    body = o.deployment("shop", "v1", 1)
    body["spec"]["template"]["spec"]["schedulerName"] = "running"
    o.created(cluster.api, namespace, body)

    def ready() -> list[Object]:
        return [pod for pod in o.pods_of(cluster.api, namespace, "shop") if is_ready(pod)]

    o.until(ready, bool)
    (pid,) = running.pids().values()
    os.kill(pid, signal.SIGKILL)
    o.until(ready, lambda found: not found)
