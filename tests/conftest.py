"""The real parts that tests share."""

import asyncio
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url
from temporalio.client import Client
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from demo.kubernetes import argo_rollouts, binaries
from demo.world import World
from proof import postgres
from proof.converting import data_converter
from proof.own_temporal import own_temporal
from proof.temporal_server.programs import SERVER, UI
from tests import encrypted, rig
from tests.patience import PatientQueries
from tests.rig import Rig
from workers.temporal_binary import find_binary
from workers.temporal_server import TemporalServer

BOTH_WAYS = ("rollback", "secured")
"""Files of tests/workflows whose tests run with a cache, too. Elsewhere a full replay at each task,
which is the harder of the two, is enough; `-m long` carries out the others as well."""
OF_THEIR_OWN = {"kill": "whole_matrix", "long": "long", "claims": "claims"}
"""Word in `-m` → the mark of tests that run only then."""
PURE = Path(__file__).parent / "rollback_manager"
"""Tests of milliseconds."""
ONE_WORLD = ("tests/end_to_end/test_kill_", "tests/kubernetes/")
"""How the names of files begin that share a world which takes long to bring up."""


class OneWorldEach(LoadFileScheduling):  # type: ignore[misc] # xdist is untyped
    """A worker takes a file at a time, and files of one world as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        world = next((one for one in ONE_WORLD if nodeid.startswith(one)), "")
        return world or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWorldEach | None:
    return OneWorldEach(config, log) if config.option.dist == "loadfile" else None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have Temporal's dev server before the first test: a build takes minutes, a test must not."""
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return  # xdist's own sessions begin after the one that started them
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        asyncio.run(find_binary(print))
        if _may_run(session.config, "kubernetes") and not os.environ.get(binaries.NAMED_CLUSTER):
            asyncio.run(binaries.find(print))
        if _may_run(session.config, "kubernetes") and _is_whole(session.config):
            asyncio.run(argo_rollouts.find(print))
        if "claims" in str(session.config.getoption("markexpr")):
            for programs in (SERVER, UI):
                asyncio.run(programs.find(print))


def _is_whole(config: pytest.Config) -> bool:
    """Whether tests are carried out whatever it takes to build what they need."""
    return bool(os.environ.get("CI")) or "long" in str(config.getoption("markexpr"))


def _may_run(config: pytest.Config, folder: str) -> bool:
    """Whether the command line leads to tests in this folder."""
    wanted = Path(__file__).parent / folder
    named = [
        (config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args
    ]
    return any(one.is_relative_to(wanted) or wanted.is_relative_to(one) for one in named)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(encrypted.OPTION, action="store_true", help="with all payloads encrypted")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(encrypted.OPTION):
        encrypted.switch_on()
    config.addinivalue_line("markers", "kill: of a matrix: workers killed, aborts at every step")
    config.addinivalue_line("markers", "whole_matrix: of those, what only `-m kill` carries out")
    config.addinivalue_line("markers", "long: only with an `-m` that names it")
    config.addinivalue_line("markers", f"encrypted: only with {encrypted.OPTION}")
    config.addinivalue_line("markers", f"unencrypted: only without {encrypted.OPTION}")
    config.addinivalue_line("markers", "claims: likewise; on Temporal's own server, built once")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a `-m` that names `kill`: the fixed sample of the kill matrix. `long` likewise."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: PURE in item.path.parents)  # they fill the gaps at the end
    all_ids = {item.nodeid for item in items}
    for item in items:
        twin = item.nodeid.replace("cached", "replayed")
        if twin != item.nodeid and twin in all_ids and item.path.stem[5:] not in BOTH_WAYS:
            item.add_marker("long")
    chosen = str(config.getoption("markexpr"))
    marks = [mark for word, mark in OF_THEIR_OWN.items() if word not in chosen]
    marks.append("unencrypted" if encrypted.is_on() else "encrypted")
    left_out = [item for item in items if any(map(item.get_closest_marker, marks))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[TemporalServer]:
    """One real dev server for all tests, found as the product finds it."""
    async with own_temporal() as own:
        yield own.server


@pytest.fixture(scope="session")
async def client(temporal: TemporalServer) -> Client:
    """A client of that server, patient with its queries."""
    return await Client.connect(
        temporal.address, data_converter=data_converter(), interceptors=[PatientQueries()]
    )


@pytest.fixture(params=[1000, 0], ids=["cached", "replayed"])
def cached(request: pytest.FixtureRequest) -> int:
    """Workflows in the worker's cache; with 0 every workflow task is a full replay."""
    size: int = request.param
    return size


@pytest.fixture
async def made(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """A worker with stand-ins behind it: v1 verified and warm, v2 bad with all the traffic."""
    async with rig.rig(client, tmp_path, cached=cached) as one:
        yield one


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A shop behind Envoy: two of four instances of v1, with all of the traffic, and of v2."""
    # In a short folder, for a Unix socket goes into it; pytest's own is often too long.
    with tempfile.TemporaryDirectory(prefix="rb-") as name, World(Path(name)) as shop:
        shop.add_version("v1", instances=2)
        shop.add_version("v2", instances=2)
        shop.set_shares({"v1": 100, "v2": 0}, "deployed")
        yield shop


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """One server for all tests; only asked for by those that need it."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty database of this test's own."""
    name = f"rollback_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
