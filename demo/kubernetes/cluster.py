"""A cluster with stand-in machines, as the world needs it: its own, or one that is given to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from demo.kubernetes.api import Api, connected
from demo.kubernetes.binaries import NAMED_CLUSTER, Programs
from demo.kubernetes.control_plane import ControlPlane
from demo.kubernetes.kubelet import Kubelet


class Cluster(Protocol):
    """A cluster in which stand-in machines run."""

    @property
    def kubeconfig(self) -> Path:
        """As its admin."""

    @property
    def api(self) -> Api:
        """As its admin."""

    @property
    def kubelet(self) -> Kubelet:
        """The stand-in for its machines."""

    @property
    def uid(self) -> str:
        """Of the namespace kube-system."""

    @property
    def plane(self) -> ControlPlane | None:
        """None where it is somebody else's."""


@dataclass(frozen=True)
class Joined:
    """A cluster that our stand-in machines have joined."""

    kubeconfig: Path
    api: Api
    kubelet: Kubelet
    uid: str
    plane: ControlPlane | None


def named() -> str:
    """The kubeconfig of a cluster that may be thrown away; never the default one."""
    return os.environ.get(NAMED_CLUSTER, "")


@contextmanager
def own(folder: Path, programs: Programs) -> Iterator[Joined]:
    """A control plane that is started in that folder and ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with ControlPlane(programs, folder) as plane, joined(plane.kubeconfig(), plane) as made:
        yield made


@contextmanager
def joined(kubeconfig: Path, plane: ControlPlane | None = None) -> Iterator[Joined]:
    """Our machines are there as long as the block lasts."""
    machinery = plane.kubeconfig("machines") if plane else kubeconfig
    with (
        connected(kubeconfig) as api,
        connected(machinery) as theirs,
        Kubelet(theirs, others=plane is None) as kubelet,
    ):
        uid = api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
        yield Joined(kubeconfig, api, kubelet, uid, plane)
