"""A Temporal of a proof's own, in a folder that goes with it."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from proof.converting import data_converter
from rollback_manager.contract import SEARCH_ATTRIBUTES
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer

SHM = Path("/dev/shm")  # noqa: S108 -- a folder of our own is made in it


@dataclass(frozen=True)
class OwnTemporal:
    """The running server, and a folder for whatever else the proof keeps."""

    server: TemporalServer
    folder: Path

    async def client(self) -> Client:
        """A client with a connection of its own."""
        return await Client.connect(self.server.address, data_converter=data_converter())


@asynccontextmanager
async def own_temporal(*, on_disk: bool = False) -> AsyncIterator[OwnTemporal]:
    """Until the end of the block.

    As with `serve` its database is a file, and it is watched and brought back on it. The file is in
    memory where that is possible, unless what is measured is what users have, who have it on disk.
    The server's own kind of database in memory is no choice: it is gone, and the namespace with it,
    once its connections are replaced after some twenty minutes.
    """
    memory = SHM if SHM.is_dir() and not on_disk else None
    binary = (await find_binary(_tell)).path
    with tempfile.TemporaryDirectory(prefix="rb-", dir=memory) as name:
        folder = Path(name)
        database, log = folder / "temporal.sqlite", folder / "temporal.log"
        attributes = SEARCH_ATTRIBUTES
        async with TemporalServer(
            binary, database, None, None, log, search_attributes=attributes
        ) as server:
            keeping = asyncio.create_task(server.keep_alive(_tell))
            try:
                yield OwnTemporal(server, folder)
            finally:
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await keeping


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
