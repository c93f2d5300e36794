"""The cluster that tests run against: one that is named, or a control plane of our own."""

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.kubernetes import binaries
from demo.kubernetes import cluster as clusters
from demo.kubernetes.api import Api
from demo.kubernetes.audit import Ledger
from demo.kubernetes.control_plane import ControlPlane
from demo.kubernetes.kubelet import Kubelet

USERS = {"deployer": (), "stranger": ()}
"""Of our own control plane, beside the admin: without any right before a test gives them one."""


@dataclass(frozen=True)
class Cluster:
    """A cluster with stand-in machines in it.

    uid: of the namespace kube-system, by which clusters are told apart. plane: our own control
    plane; None where the cluster is somebody else's.
    """

    kubeconfig: Path
    api: Api
    kubelet: Kubelet
    uid: str
    plane: ControlPlane | None

    @property
    def own(self) -> ControlPlane:
        """Our own control plane, for tests that need more than an API."""
        assert self.plane is not None, (
            f"needs a control plane of its own: unset {binaries.NAMED_CLUSTER}"
        )
        return self.plane

    @property
    def ledger(self) -> Ledger:
        """What the API server itself wrote down of every call."""
        return self.own.ledger

    def kubectl(self, *words: str, kubeconfig: Path | None = None) -> str:
        """What kubectl prints. It fails the test where kubectl fails."""
        on_path = shutil.which(binaries.KUBECTL)
        ours = self.plane.programs.commands.get(binaries.KUBECTL) if self.plane else None
        program = (on_path,) if on_path else ours
        assert program, "kubectl is not on PATH, nor did one come with the control plane"
        command = [*program, "--kubeconfig", str(kubeconfig or self.kubeconfig), *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def account_token(self, namespace: str, name: str, seconds: int = 3600) -> str:
        """A token of a ServiceAccount, which is created if it is not there."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        self.api.apply(path, json.dumps(body))
        asked = self.api.post(f"{path}/token", {"spec": {"expirationSeconds": seconds}})
        token: str = asked["status"]["token"]
        return token

    def kubeconfig_with(self, token: str, path: Path) -> Path:
        """Write one that reaches this cluster with another token."""
        config = json.loads(self.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
        for user in config["users"]:
            user["user"] = {"token": token}
        path.write_text(json.dumps(config))
        return path


def named() -> str:
    """The kubeconfig of a cluster that may be thrown away; never the default one."""
    return clusters.named()


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Found, or started, for as long as the block lasts."""
    if path := named():
        with clusters.joined(Path(path)) as found:
            yield Cluster(**vars(found))
        return
    programs = asyncio.run(binaries.find(print))
    with (
        tempfile.TemporaryDirectory(prefix="rb-", ignore_cleanup_errors=True) as folder,
        ControlPlane(programs, Path(folder), USERS) as plane,
        clusters.joined(plane.kubeconfig(), plane) as made,
    ):
        yield Cluster(**vars(made))
