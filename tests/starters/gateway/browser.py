"""A real browser before a real gateway, and the judgement of axe on what it shows."""

import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped] # has no types
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from starters.gateway.app import make_app
from starters.gateway.doors import Binding, Doors
from tests.rig import Rig
from tests.starters.gateway.conftest import doors_of
from workers.gateway import served

QUIET = (
    "--no-sandbox",  # as root there is no other way
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WORST = {"serious", "critical"}


@dataclass
class Site:
    """A gateway that listens, and the rig behind it."""

    rig: Rig
    doors: Doors
    browser: Browser
    shots: Path

    @property
    def origin(self) -> str:
        return self.doors.binding.origin

    @asynccontextmanager
    async def context(self, **how: Any) -> AsyncIterator[BrowserContext]:
        """A browser of its own, 1100 pixels wide unless said otherwise."""
        usual = {"viewport": {"width": 1100, "height": 800}, "base_url": self.origin}
        context = await self.browser.new_context(**(usual | how))
        yield context
        await context.close()

    async def shot(self, page: Page, name: str) -> None:
        """For people to look at."""
        await page.screenshot(path=self.shots / f"{name}.png", full_page=True)


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Playwright's own Chromium if it is there, else the system's."""
    async with async_playwright() as playwright:
        own = playwright.chromium.executable_path
        found = own if Path(own).exists() else shutil.which("chromium")
        assert found, "no browser: playwright install chromium, or apt-get install chromium"
        browser = await playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield browser
        await browser.close()


@asynccontextmanager
async def site(
    made: Rig, browser: Browser, shots: Path, *, port: int = 0, **more: Any
) -> AsyncIterator[Site]:
    """The rig's gateway on a port of its own."""
    port = port or free_port()
    at = Binding("127.0.0.1", port, f"http://127.0.0.1:{port}", (f"127.0.0.1:{port}",))
    doors = replace(doors_of(made), binding=at, **more)
    async with served(make_app(doors), at):
        yield Site(made, doors, browser, shots)


async def violations(page: Page) -> list[str]:
    """What axe finds serious or critical, with the element; nothing where all is well."""
    found = await Axe().run(page)
    return [
        f"{one['id']} ({one['impact']}): {node['html']}: {node['failureSummary']}"
        for one in found.response["violations"]
        if one["impact"] in WORST
        for node in one["nodes"]
    ]


async def is_within(page: Page) -> bool:
    """Whether nothing makes the page itself wider than the window."""
    script = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    return bool(await page.evaluate(script))
