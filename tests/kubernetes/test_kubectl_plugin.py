"""`kubectl rollback`: the real kubectl, a real worker with the shipped rights, a real cluster."""

import asyncio
import json
import os
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from demo.kubernetes.kubelet import Kubelet
from rollback_manager.client import RollbackClient
from rollback_manager.contract import MarkRelease, RecordRelease, ReleaseRequest
from rollback_manager.release import Standing
from tests.kubernetes import cluster as clusters
from tests.kubernetes.installed import DEPLOY, IMAGE_ONLY, Installed
from tests.kubernetes.objects import created, deployment, path_of, rolled_out, service, until
from workers import wiring
from workers.settings import Settings
from workers.worker import make_worker

ROOT = Path(__file__).parents[2]
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def env(tmp_path: Path, cluster: clusters.Cluster) -> dict[str, str]:
    """A person's shell: kubectl, the plug-in beside it, a kubeconfig, and the catalogue."""
    kubectl = shutil.which("kubectl")
    assert kubectl, "kubectl is not on PATH: apt-get install kubectl, or kubernetes-client"
    script = tmp_path / "bin/kubectl-rollback"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\nfrom rollback_manager.__main__ import kubectl\n\nkubectl()\n"
    )
    script.chmod(0o755)
    (tmp_path / "bin/kubectl").symlink_to(kubectl)
    text = (DEPLOY / "catalogue.yaml").read_text()
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(text.replace("00000000-0000-0000-0000-000000000000", cluster.uid))
    return {
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "KUBECONFIG": str(cluster.kubeconfig),
        "ROLLBACK_CATALOGUE": str(catalogue),
        "TEMPORAL_ADDRESS": NOWHERE,
    }


async def kubectl(env: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of kubectl with these words."""
    process = await asyncio.create_subprocess_exec(
        *("kubectl", *words),
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def worker(
    client: Client, ours: Installed, env: dict[str, str], tmp_path: Path
) -> AsyncIterator[str]:
    """One that comes to the cluster as the shipped account; the queue that it polls."""
    text = Path(env["ROLLBACK_CATALOGUE"]).read_text()
    own = f"    kubeconfig: {ours.kubeconfig}\n    context: local\n    uid:"
    (tmp_path / "worker.yaml").write_text(text.replace("    uid:", own, 1))
    settings = Settings(
        catalogue=tmp_path / "worker.yaml",
        data=tmp_path / "data",
        task_queue=f"plug-in-{uuid.uuid4().hex[:8]}",
    )
    async with make_worker(client, settings, wiring.parts(settings)):
        env["TEMPORAL_ADDRESS"] = client.service_client.config.target_host
        env["ROLLBACK_TASK_QUEUE"] = settings.task_queue
        yield settings.task_queue


async def test_kubectl_finds_it_and_lists_its_verbs(env: dict[str, str]) -> None:
    """As any plug-in."""
    code, listed, _ = await kubectl(env, "plugin", "list")
    assert (code, "kubectl-rollback" in listed) == (0, True)
    code, told, _ = await kubectl(env, "rollback", "--help")
    assert code == 0
    assert "Usage: kubectl rollback VERB" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["plan", "shop"], "no service of the catalogue runs in context local, namespace default"),
        (["plan", "other", "-n", IMAGE_ONLY], "there are: search (prod), shop (prod), till (prod)"),
        (["plan", "shop", "--context", "far"], "no context 'far' in the kubeconfig; it has: local"),
        (["demo"], "kubectl rollback has no verb 'demo'"),
    ],
)
async def test_what_it_cannot_place_is_one_error_that_lists(
    env: dict[str, str], words: list[str], told: str
) -> None:
    """Before anything is asked of Temporal; exit code 2."""
    code, out, err = await kubectl(env, "rollback", *words)
    assert (code, out) == (2, "")
    assert told in " ".join(err.split())


async def test_a_plan_by_kubectl_names_the_cluster_in_which_alone_it_holds(
    cluster: clusters.Cluster, kubelet: Kubelet, env: dict[str, str], worker: str, client: Client
) -> None:
    """The whole way: kubectl, plug-in, Temporal, worker, cluster; and it is part of the digest."""
    for name, version in (("shop-blue", "v1"), ("shop-green", "v2")):
        if name not in _names(cluster, "deployments"):
            created(cluster.api, IMAGE_ONLY, deployment(name, version, 1, app="shop"))
        path = path_of("deployments", IMAGE_ONLY, name)
        cluster.api.patch(path, {"spec": {"replicas": 1}})
        until(partial(cluster.api.get, path), rolled_out)
    if "shop" in _names(cluster, "services"):
        cluster.api.delete(path_of("services", IMAGE_ONLY, "shop"))
    created(cluster.api, IMAGE_ONLY, service("shop", "v2"))
    rollbacks = RollbackClient(client, task_queue=worker)
    for version in ("v1", "v2"):
        ask = RecordRelease(env="prod", service="shop", version=version, by="ci")
        await rollbacks.releases(ReleaseRequest(ask=ask))
    verified = MarkRelease(
        env="prod",
        service="shop",
        version="v1",
        by="ci",
        standing=Standing.VERIFIED,
        because="seen",
    )
    await rollbacks.releases(ReleaseRequest(ask=verified))
    words = ("rollback", "plan", "deployment/shop-green", "-n", IMAGE_ONLY, "--json")
    code, out, err = await kubectl(env, *words)
    assert code == 0, err
    plan: dict[str, Any] = json.loads(out.splitlines()[-1])["plan"]
    (planned,) = plan["services"]
    assert planned["service"] == "shop"
    assert planned["place"] == f"cluster main (uid {cluster.uid}), namespace {IMAGE_ONLY}"
    code, shown, err = await kubectl(env, *words[:-1])
    assert (code, f"uid {cluster.uid}" in shown) == (0, True), err


async def test_doctor_has_the_worker_look(env: dict[str, str], worker: str) -> None:
    """It holds the credentials; whoever types does not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollback_manager", "doctor", "--kubernetes", "--json"),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    checks = json.loads(out.decode().splitlines()[-1])["checks"]
    levels = {one["check"]: one["level"] for one in checks}
    assert levels["cluster main"] == "ok", err.decode()
    assert levels["rights in shop"] == levels["policy rollback-manager-deny-list"] == "ok"


def _names(cluster: clusters.Cluster, kind: str) -> set[str]:
    items = cluster.api.get(path_of(kind, IMAGE_ONLY))["items"]
    return {one["metadata"]["name"] for one in items}
