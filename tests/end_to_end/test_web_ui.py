"""Temporal's own Web UI, in a real browser: what it shows of a rollback, and an abort sent from it."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from rollback_manager.progress import Result
from tests.rig import Rig
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
        own = Path(playwright.chromium.executable_path)
        path = str(own) if own.exists() else shutil.which("chromium")
        assert path, "no browser: playwright install chromium, or apt-get install chromium"
        browser = await playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture(params=[1000], ids=["cached"])
def cached(request: pytest.FixtureRequest) -> int:
    """The browser does not care for the worker's cache: once is enough."""
    size: int = request.param
    return size


async def page_of(browser: Browser, server: TemporalServer, workflow: str) -> Page:
    page = await browser.new_page(viewport={"width": 1400, "height": 1100})
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


async def test_an_abort_sent_from_the_web_ui_holds_the_rollback(
    made: Rig, temporal: TemporalServer, browser: Browser, tmp_path: Path
) -> None:
    made.world.requests_per_look = 0  # the shift cannot be measured: it waits there
    rollback = await made.start()
    page = await page_of(browser, temporal, rollback.id)
    await page.screenshot(path=tmp_path / "before.png", full_page=True)
    print(await page.content())
