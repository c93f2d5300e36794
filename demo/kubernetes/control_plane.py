"""etcd, kube-apiserver and kube-controller-manager on loopback, with data for one session."""

import json
import os
import secrets
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from demo.errors import WorldError
from demo.kubernetes.api import Api, Refused, connected
from demo.kubernetes.audit import Ledger, policy
from demo.kubernetes.binaries import API_SERVER, CONTROLLERS, ETCD, Programs
from demo.ports import PortBlock
from demo.processes import Children, tail, until

ADMIN, MACHINERY, MACHINES = "admin", "control-plane", "machines"
MASTERS = "system:masters"
START_S = 60.0
"""It takes 3 to 5 s; eight at once on two cores take ten times that."""
END_S = 2.0
"""After that it is killed: an API server may take more than 20 s to end, for data of no worth."""
REQUESTS_PER_S = 1000
"""Of the controllers. Their default of 20 would make 500 pods a matter of a minute."""
SERVICES = "10.0.0.0/24"
LEFT_OUT = ("node-ipam-controller", "node-lifecycle-controller", "cloud-node-lifecycle-controller")
"""Controllers for machines, which a stand-in plays."""


class ControlPlane:
    """A control plane that lives in `folder` and as long as the block, or as this process.

    users: name → groups, beside `admin`, who may do everything, and those of the controllers and
    of the stand-in for machines. `kubeconfig(user)` is a file for each.
    """

    def __init__(
        self,
        programs: Programs,
        folder: Path,
        users: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.folder = folder
        self.users = {
            ADMIN: (MASTERS,),
            MACHINERY: (MASTERS,),
            MACHINES: (MASTERS,),
            **(users or {}),
        }
        self.ledger = Ledger(folder / "audit.log")
        self.programs = programs
        self._tokens = {user: secrets.token_hex(16) for user in self.users}
        self._ports = PortBlock()
        self._etcd, self._peer, self._api, self._controllers = (
            self._ports.take() for _ in range(4)
        )
        self._children = Children(folder)

    @property
    def url(self) -> str:
        """Of the API server."""
        return f"https://127.0.0.1:{self._api}"

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The file with which this user reaches the cluster."""
        return self.folder / f"{user}.kubeconfig"

    def token(self, user: str = ADMIN) -> str:
        """This user's bearer token."""
        return self._tokens[user]

    def pids(self) -> dict[str, int]:
        """The parts that run, by name."""
        return self._children.pids()

    def check(self) -> None:
        """Raise if a part has ended, with the end of its log."""
        self._children.check()

    def __enter__(self) -> Self:
        """Start, and return when the API answers and the controllers do their work.

        Raises:
            WorldError: a part ended, with the end of its log, or it took longer than `START_S`.
        """
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """TERM, and KILL to what is left after `END_S`."""
        self._end()

    def _end(self) -> None:
        self._children.end(END_S, lambda: None)
        self._ports.close()

    def _start(self) -> None:
        self._write_files()
        self._children.start(ETCD, [*self.programs.commands[ETCD], *self._etcd_flags()])
        self._children.start(API_SERVER, [*self.programs.commands[API_SERVER], *self._api_flags()])
        certificate = self.folder / "certificates" / "apiserver.crt"
        self._until("the API server has a certificate", certificate.exists)
        for user in self.users:
            self._write_kubeconfig(user, certificate)
        with connected(self.kubeconfig(MACHINERY)) as api:
            self._until("the API server is ready", lambda: _ready(api))
            words = [*self.programs.commands[CONTROLLERS], *self._controller_flags()]
            self._children.start(CONTROLLERS, words)
            self._until("the controllers work", lambda: _controllers_work(api))

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        try:
            until(what, holds, START_S, self.check)
        except WorldError as error:
            logs = "\n".join(f"{name}: {tail(self._children.log(name))}" for name in self.pids())
            raise WorldError(f"{error}\n{logs}") from error

    def _write_files(self) -> None:
        lines = [
            f'{token},{user},{user},"{",".join(self.users[user])}"\n'
            for user, token in self._tokens.items()
        ]
        _write_private(self.folder / "tokens.csv", "".join(lines))
        (self.folder / "audit-policy.yaml").write_text(json.dumps(policy(MACHINERY, MACHINES)))
        made = subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
        )
        _write_private(self.folder / "accounts.key", made.stdout)

    def _write_kubeconfig(self, user: str, certificate: Path) -> None:
        """In JSON, which is YAML. The server signed its certificate itself."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "local",
                    "cluster": {"server": self.url, "certificate-authority": str(certificate)},
                }
            ],
            "users": [{"name": user, "user": {"token": self._tokens[user]}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": user}}],
            "current-context": "local",
        }
        _write_private(self.kubeconfig(user), json.dumps(config, indent=1))

    def _etcd_flags(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd, self._peer))
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_flags(self) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # an Endpoints object may not name loopback
            f"--secure-port={self._api}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'accounts.key'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--disable-admission-plugins=ServiceAccount",  # it would mount tokens into every pod
            "--allow-privileged=true",
            f"--audit-policy-file={self.folder / 'audit-policy.yaml'}",
            f"--audit-log-path={self.ledger.path}",
            "--audit-log-maxsize=10000",  # MB: in one file, as it is read
        ]

    def _controller_flags(self) -> list[str]:
        me = self.kubeconfig(MACHINERY)
        return [
            f"--kubeconfig={me}",
            f"--authentication-kubeconfig={me}",
            f"--authorization-kubeconfig={me}",
            "--authentication-skip-lookup=true",  # nobody has client certificates here
            "--bind-address=127.0.0.1",
            f"--secure-port={self._controllers}",
            f"--cert-dir={self.folder / 'controllers'}",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--controllers={','.join(['*', *(f'-{name}' for name in LEFT_OUT)])}",
            f"--kube-api-qps={REQUESTS_PER_S}",
            f"--kube-api-burst={2 * REQUESTS_PER_S}",
        ]


def _ready(api: Api) -> bool:
    with suppress(httpx.TransportError):
        return api.client.get("/readyz").text == "ok"
    return False


def _controllers_work(api: Api) -> bool:
    """One of them gives each namespace this account, as soon as they all have begun."""
    with suppress(Refused, httpx.TransportError):
        return bool(api.get("/api/v1/namespaces/default/serviceaccounts/default"))
    return False


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
