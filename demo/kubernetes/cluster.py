"""A cluster with stand-in machines, as the world needs it: its own, or one that is given to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from demo.kubernetes.api import Api, connected
from demo.kubernetes.binaries import Programs
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
class OwnCluster:
    """A control plane that ends with its block."""

    kubeconfig: Path
    api: Api
    kubelet: Kubelet
    uid: str
    plane: ControlPlane


@contextmanager
def own(folder: Path, programs: Programs) -> Iterator[OwnCluster]:
    """Started in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        ControlPlane(programs, folder) as plane,
        connected(plane.kubeconfig()) as api,
        connected(plane.kubeconfig("machines")) as theirs,
        Kubelet(theirs) as kubelet,
    ):
        uid = api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
        yield OwnCluster(plane.kubeconfig(), api, kubelet, uid, plane)
