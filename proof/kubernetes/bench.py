"""One control plane with stand-in machines, one Temporal, and cases side by side on them."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Self

from temporalio.client import Client

from demo.kubernetes import binaries, crds
from demo.kubernetes.api import connected
from demo.kubernetes.control_plane import MACHINES, ControlPlane
from demo.kubernetes.kubelet import Kubelet
from proof.converting import data_converter
from proof.faults.proxy import Proxies
from proof.kill_matrix.bench import QuickStarts
from proof.kill_matrix.killable import Workers
from proof.kubernetes.account import Account
from proof.kubernetes.case import Case, Place
from proof.kubernetes.counting import Counting
from proof.kubernetes.placement import PLACEMENTS, Placement
from proof.own_temporal import own_temporal


class Bench:
    """`async with Bench() as bench`; whoever has a control plane already lends it."""

    def __init__(self, plane: ControlPlane | None = None) -> None:
        self.references: dict[str, Account] = {}
        self._lent = plane
        self._cases = 0
        self._locks: dict[str, asyncio.Lock] = {}
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Bring everything up."""
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End everything."""
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rb-")))
        (folder / "logs").mkdir()
        workers = Workers(folder / "logs")
        stack.callback(workers.end)
        plane = self._lent or await self._own_plane(stack, folder)
        api = stack.enter_context(connected(plane.kubeconfig(MACHINES)))
        await asyncio.to_thread(crds.install, api, crds.GATEWAY_API)
        address = (await stack.enter_async_context(own_temporal())).server.address
        proxies = await stack.enter_async_context(Proxies(folder / "control"))
        port = await proxies.before_port("temporal", int(address.rpartition(":")[2]))
        client = await Client.connect(
            address, data_converter=data_converter(), interceptors=[QuickStarts()]
        )
        self.place = Place(
            folder=folder,
            plane=plane,
            api=api,
            counting=stack.enter_context(Counting()),
            workers=workers,
            client=client,
            temporal=(address, f"127.0.0.1:{port}"),
            proxies=proxies,
        )

    async def _own_plane(self, stack: contextlib.AsyncExitStack, folder: Path) -> ControlPlane:
        programs = await binaries.find(print)
        (folder / "plane").mkdir()
        plane = ControlPlane(programs, folder / "plane")
        await asyncio.to_thread(plane.__enter__)
        stack.push(plane.__exit__)
        machines = stack.enter_context(connected(plane.kubeconfig(MACHINES)))
        stack.enter_context(Kubelet(machines))
        return plane

    @contextlib.asynccontextmanager
    async def case(self, placement: Placement) -> AsyncIterator[Case]:
        """A namespace, a service, a queue and records of its own."""
        self._cases += 1
        case = Case(self.place, placement, f"case-{self._cases}")
        try:
            async with case:
                yield case
        finally:
            await case.leave()

    async def reference(self, name: str) -> Account:
        """An undisturbed run of the placement, carried out once."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            if name not in self.references:
                async with self.case(PLACEMENTS[name]) as case:
                    case.start_worker()
                    planned = await case.planned()
                    account = await case.account(await case.start())
                self.references[name] = replace(account, planned=planned)
            return self.references[name]
