"""Temporal's own Web UI in a real browser: what it shows, and what can be sent from it."""

import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from temporalio.client import Client

from activities.audit_key import audit_key, made_at_first_start
from activities.integrations.anchor_file import AnchorFile
from activities.integrations.sql import SqlAudit, engine_for
from activities.secrets import Secrets
from rollback_manager.client.codec import Encryption
from rollback_manager.client.converter import converter
from rollback_manager.progress import EndState, Result, State
from starters.gateway.app import make_app
from starters.gateway.doors import Binding
from tests import keys, rig
from tests.rig import Rig
from tests.starters.gateway.conftest import doors_of
from workers.codec_server import PATH, codec_app
from workers.gateway import served
from workers.temporal_server import TemporalServer

QUIET = (
    "--no-sandbox",  # as root there is no other way
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Playwright's own Chromium if it is there, else the system's."""
    async with async_playwright() as playwright:
        path = program(playwright.chromium.executable_path)
        browser = await playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture(params=[1000], ids=["cached"])
def cached(request: pytest.FixtureRequest) -> int:
    """The browser does not care for the worker's cache: once is enough."""
    size: int = request.param
    return size


def program(own: str) -> str:
    found = own if Path(own).exists() else shutil.which("chromium")
    assert found, "no browser: playwright install chromium, or apt-get install chromium"
    return found


@pytest.fixture
async def waiting(client: Client, tmp_path: Path, cached: int) -> AsyncIterator[Rig]:
    """As `made`, under a policy that asks for an approval."""
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
    async with rig.rig(client, tmp_path, cached=cached, policy=policy) as one:
        yield one


async def page_of(browser: Browser, server: TemporalServer, workflow: str, codec: str = "") -> Page:
    """codec: address of the server that decrypts, where payloads are encrypted."""
    page = await browser.new_page(viewport={"width": 1400, "height": 1100})
    set_up = {"endpoint": codec, "overrideRemoteCodecConfiguration": True}
    for name, value in set_up.items() if codec else ():  # as its own dialog keeps them
        words = f"localStorage.setItem({name!r}, {json.dumps(json.dumps(value))})"
        await page.add_init_script(words)
    await page.goto(f"{server.ui_url}/namespaces/default/workflows/{quote(workflow, safe='')}")
    return page


async def test_the_timeline_shows_every_step_with_its_numbers(
    made: Rig, temporal: TemporalServer, browser: Browser, tmp_path: Path
) -> None:
    rollback = await made.start()
    assert (await rollback.result()).result is Result.VERIFIED
    page = await page_of(browser, temporal, f"service/test/{made.service}")
    for label in ("v1 100 %", "0 in flight on v2", "users of v1 are well", "v2 down to 0"):
        await expect(page.get_by_text(label).first).to_be_visible(timeout=15_000)
    await page.screenshot(path=tmp_path / "timeline.png", full_page=True)


async def send(page: Page, kind: str, name: str, argument: str) -> None:
    """Fill in the dialog `Send a Signal` or `Send an Update` as a person does."""
    await page.get_by_role("button", name="More Actions").click(timeout=15_000)
    await page.get_by_role(
        "menuitem", name=f"Send a{'n' if kind == 'Update' else ''} {kind}"
    ).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name=f"Select a{'n' if kind == 'Update' else ''}").click()
    await page.get_by_role("option", name=name).first.click()
    if argument:
        await dialog.get_by_role("textbox").last.fill(argument)
        await dialog.get_by_text("only single JSON").click()  # laid out anew, the button moves
    await dialog.get_by_role("button", name="Submit").click()
    await expect(dialog).to_be_hidden(timeout=10_000)


@pytest.mark.parametrize(
    ("argument", "end"),
    [("", EndState.ROLLED_BACK), ('{"mode": "restore", "by": "on call"}', EndState.RESTORED)],
    ids=["nothing typed", "restore"],
)
async def test_an_abort_sent_from_the_web_ui_works(
    made: Rig, temporal: TemporalServer, browser: Browser, argument: str, end: EndState
) -> None:
    made.world.in_flight = {"v2": 3}  # the shift is done, and the drain waits
    rollback = await made.start()
    page = await page_of(browser, temporal, rollback.id)
    await send(page, "Signal", "abort", argument)
    made.world.in_flight = {}
    outcome = await rollback.result()
    assert outcome.result is Result.ABORTED
    assert outcome.services[0].end is end
    assert made.world.shares_now == ({"v2": 100} if argument else {"v1": 100})


async def test_an_approval_sent_from_the_web_ui_counts(
    waiting: Rig, temporal: TemporalServer, browser: Browser, tmp_path: Path
) -> None:
    rollback = await waiting.start()
    page = await page_of(browser, temporal, rollback.id)
    await page.get_by_text("User Metadata").first.click(timeout=15_000)
    details = page.frame_locator("iframe >> nth=2")  # summary, details, current details
    await expect(details.get_by_text("Silence never approves")).to_be_visible(timeout=15_000)
    await page.screenshot(path=tmp_path / "metadata.png")
    digest = (await rollback.status()).digest
    await send(page, "Update", "approve", f'{{"plan": "{digest}", "by": "on call"}}')
    outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED
    assert [vote.by for vote in outcome.decisions if vote.counted] == ["on call"]


@pytest.fixture
async def encrypted(client: Client, tmp_path: Path) -> AsyncIterator[Rig]:
    """As `waiting`, with all payloads encrypted."""
    ring = keys.ring(keys.write(tmp_path / "codec.json"))
    config = client.config(active_config=True)
    config["data_converter"] = converter(ring, client.namespace, takes_unbound=True)
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
    async with rig.rig(Client(**config), tmp_path, cached=1000, policy=policy) as one:
        yield one


@asynccontextmanager
async def codec_server(made: Rig, ui: str, folder: Path) -> AsyncIterator[tuple[str, SqlAudit]]:
    """On a port of its own; what it decodes is audited."""
    engine = engine_for(f"sqlite:///{folder}/records.sqlite")
    key = audit_key(Secrets(), made_at_first_start(folder / "audit.pem"))
    chain = SqlAudit(engine, key, AnchorFile(folder / "anchor" / "audit.jsonl"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = Binding("127.0.0.1", port, f"http://127.0.0.1:{port}", (f"127.0.0.1:{port}",))
    codec = made.client.data_converter.payload_codec
    assert isinstance(codec, Encryption)
    doors = replace(doors_of(made), binding=at)
    app = make_app(doors)
    app.mount(PATH, codec_app(codec, doors, ui, chain))
    async with served(app, at):
        yield f"{at.origin}{PATH}", chain
    engine.dispose()


@pytest.mark.long
async def test_the_web_ui_reads_and_decides_an_encrypted_rollback_by_the_codec_server(
    encrypted: Rig, temporal: TemporalServer, browser: Browser, tmp_path: Path
) -> None:
    rollback = await encrypted.start(reason="errors rose to 12 %")
    digest = (await encrypted.until(rollback, State.WAITING_FOR_APPROVAL)).digest
    async with codec_server(encrypted, temporal.ui_url, tmp_path) as (codec, chain):
        blind = await page_of(browser, temporal, rollback.id)
        started = blind.get_by_text("Workflow Execution Started").first
        await expect(started).to_be_visible(timeout=15_000)
        assert "errors rose" not in await blind.content()
        page = await page_of(browser, temporal, rollback.id, codec)
        await expect(page.get_by_text("errors rose to 12 %").first).to_be_visible(timeout=15_000)
        await page.screenshot(path=tmp_path / "decoded.png", full_page=True)
        await send(page, "Update", "approve", f'{{"plan": "{digest}", "by": "on call"}}')
        outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED
    assert {one.action for one in chain.entries()} == {"decode"}
