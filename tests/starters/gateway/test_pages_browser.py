"""Pages in Chromium: the three decisions as people make them, with and without what helps."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from temporalio.client import Client

from proof.stand_ins import FailsAtFirst
from rollback_manager.client import Rollback
from rollback_manager.contract import AbortCommand
from rollback_manager.errors import PermanentError
from rollback_manager.freezes import Freeze
from rollback_manager.incidents.alarms import Alarm
from rollback_manager.progress import EndState, Result, State
from tests import rig
from tests.incidents import evidence
from tests.starters.gateway.browser import Site, chromium, is_within, site, violations
from tests.traces import trace

SOON = 10_000
"""Milliseconds until a page shows what has happened."""


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as one:
        yield one


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures of pages go; somewhere else, for people who want to look at them."""
    folder = Path(os.environ.get("PAGES_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
async def asks(
    client: Client, tmp_path: Path, browser: Browser, shots: Path
) -> AsyncIterator[Site]:
    """A person must agree within a minute; a drain waits for longer than anybody looks."""
    patient = {**dict(rig.POLICY["timeouts"]), "drain_s": 60}  # type: ignore[call-overload]
    approval = {"required": True, "deadline_s": 60}
    policy: dict[str, object] = {"approval": approval, "timeouts": patient}
    async with (
        rig.rig(client, tmp_path, cached=1000, policy=policy) as made,
        site(made, browser, shots) as one,
    ):
        yield one


@pytest.fixture
async def expires(
    client: Client, tmp_path: Path, browser: Browser, shots: Path
) -> AsyncIterator[Site]:
    """Nobody has longer than ten seconds."""
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 10}}
    async with (
        rig.rig(client, tmp_path, cached=1000, policy=policy) as made,
        site(made, browser, shots) as one,
    ):
        yield one


async def waiting(on: Site) -> Rollback:
    rollback = await on.rig.start(reason="errors after the release")
    await on.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    return rollback


async def shows(page: Page, text: str) -> None:
    await expect(page.locator("#now")).to_contain_text(text, timeout=SOON)


async def test_a_person_approves_with_the_keyboard_alone_and_sees_it_end(asks: Site) -> None:
    rollback = await waiting(asks)
    async with asks.context() as context:
        page = await context.new_page()
        await page.goto(f"/{rollback.id}")
        await shows(page, "WAITING FOR APPROVAL")
        await page.keyboard.press("Tab")
        assert await focused(page) == "Skip to content"
        await asks.shot(page, "focus")
        await page.keyboard.press("Enter")
        await tab_to(page, "Approve… (T2)")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Approve ")
        await tab_to(page, "", tag="INPUT")
        await page.keyboard.type(asks.rig.service)
        await tab_to(page, "Approve: ")
        await asks.shot(page, "approve")
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_contain_text("approve: applied", timeout=SOON)
        await shows(page, "VERIFIED")  # nobody loaded the page again
        assert await violations(page) == []
        await asks.shot(page, "verified")
    assert (await rollback.result()).result is Result.VERIFIED


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.innerText || ''"))


async def tab_to(page: Page, begins: str, tag: str = "") -> None:
    """Where the tabulator leads sooner or later."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        is_one = not tag or await page.evaluate("document.activeElement.tagName") == tag
        if is_one and (await focused(page)).startswith(begins):
            return
    raise AssertionError(f"nobody gets to {begins}{tag} with the keyboard")


async def test_without_javascript_at_360_pixels_in_the_dark_a_person_rejects(asks: Site) -> None:
    rollback = await waiting(asks)
    how = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    async with asks.context(java_script_enabled=False, **how) as context:
        page = await context.new_page()
        await page.goto(f"/{rollback.id}")
        await asks.shot(page, "dark-360-waiting")
        await page.get_by_label("Reason").last.fill("not this one")
        await page.get_by_role("button", name="Reject").click()
        await expect(page.locator("#said")).to_contain_text("reject: applied")
        await page.get_by_role("link", name="Look again").click()
        await shows(page, "REJECTED")
        await asks.shot(page, "dark-360-rejected")
    outcome = await rollback.result()
    assert outcome.result is Result.REJECTED
    assert outcome.decisions[0].reason == "not this one"
    assert asks.rig.world.shares_now == {"v2": 100}


@pytest.mark.long
@pytest.mark.parametrize("mode", ["hold", "restore"])
async def test_a_person_aborts_on_a_page_that_says_what_it_does(asks: Site, mode: str) -> None:
    asks.rig.world.in_flight = {"v2": 3}  # the shift is done, and the drain waits
    rollback = await waiting(asks)
    await asks.rig.approve(rollback)
    await asks.rig.until(rollback, lambda s: s.services[0].steps[2].state == "running")
    async with asks.context() as context:
        page = await context.new_page()
        await page.goto(f"/{rollback.id}")
        await shows(page, "RUNNING")
        await asks.shot(page, "running")
        assert await violations(page) == []
        await page.get_by_role("link", name="Abort…").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Abort ")
        if mode == "restore":
            await page.get_by_label("restore:").check()
        assert await violations(page) == []
        await asks.shot(page, "abort")
        await page.get_by_role("button", name="Abort: ").click()
        await expect(page.locator("#said")).to_contain_text("it stops at the next safe point")
        asks.rig.world.in_flight = {}
        await shows(page, "ABORTED")
        await asks.shot(page, f"aborted-{mode}")
    outcome = await rollback.result()
    ends = {"hold": EndState.ROLLED_BACK, "restore": EndState.RESTORED}
    assert (outcome.result, outcome.services[0].end) == (Result.ABORTED, ends[mode])


@pytest.mark.long
async def test_a_vote_after_the_deadline_is_told_why_it_does_not_count(expires: Site) -> None:
    rollback = await waiting(expires)
    async with expires.context(java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(f"/{rollback.id}")
        await page.get_by_role("link", name="Approve…").click()
        await page.get_by_label("to confirm").fill(expires.rig.service)
        await rollback.result()
        await page.get_by_role("button", name="Approve: ").click()
        await expires.shot(page, "expired")
        await expect(page.get_by_role("main")).to_contain_text("EXPIRED")
    assert expires.rig.world.shares_now == {"v2": 100}


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [360, 1100])
async def test_every_page_is_open_to_everybody(asks: Site, width: int, scheme: str) -> None:
    rollback = await waiting(asks)
    service = asks.rig.service
    paths = {
        "rollbacks": "/",
        "waiting": f"/{rollback.id}",
        "to-approve": f"/{rollback.id}/approve",
        "to-abort": f"/{rollback.id}/abort",
        "services": "/services",
        "service": f"/services/test/{service}",
        "incidents": "/incidents",
        "missing": "/rollback/test/nobody",
    }
    how = {"viewport": {"width": width, "height": 740}, "color_scheme": scheme}
    async with asks.context(**how) as context:
        page = await context.new_page()
        asks.rig.records.keep_freeze(freeze(service))
        for name, path in paths.items():
            await looked_at(asks, page, f"{name}-{width}-{scheme}", path)
        await page.goto(paths["service"])
        await page.get_by_text("Freeze deploys, or end that").click()
        await asks.shot(page, f"freeze-{width}-{scheme}")
        assert await violations(page) == []
        assert await is_within(page)
        await asks.rig.approve(rollback)
        await rollback.result()
        await looked_at(asks, page, f"ended-{width}-{scheme}", f"/{rollback.id}")
        await looked_at(asks, page, f"report-{width}-{scheme}", f"/{rollback.id}/report")
        told = evidence(fired_at=datetime.now(UTC))
        await asks.rig.rollbacks.incidents.report(
            Alarm(env="test", service=service, version="v2", evidence=told)
        )
        where = f"/incident/test/{service}/v2"
        await looked_at(asks, page, f"incident-{width}-{scheme}", where)
        await expect(page.get_by_role("heading", level=1)).to_have_text(where[1:])


@pytest.mark.long
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1100, "light")])
async def test_a_person_retries_pauses_and_resumes_without_javascript_by_keyboard(
    asks: Site, width: int, scheme: str
) -> None:
    asks.rig.world.before_write = FailsAtFirst("set_shares", PermanentError("not known"), 1)
    asks.rig.world.in_flight = {"v2": 3}  # once the shift is done, the drain waits
    rollback = await waiting(asks)
    await asks.rig.approve(rollback)
    await asks.rig.until(rollback, State.NEEDS_HUMAN)
    how = {"viewport": {"width": width, "height": 740}, "color_scheme": scheme}
    async with asks.context(**how) as seeing, asks.context(java_script_enabled=False, **how) as c:
        page, judged = await c.new_page(), await seeing.new_page()

        async def press(button: str, says: str) -> None:
            await looked_at(asks, judged, f"{button.split(':')[0]}-{width}-{scheme}", where)
            await page.goto(where)
            await page.get_by_role("button", name=button).focus()
            await page.keyboard.press("Enter")
            await expect(page.locator("#said")).to_contain_text(says, timeout=SOON)

        where = f"/{rollback.id}"
        await press("Retry redirect_traffic", "retry step: applied")
        await asks.rig.until(rollback, lambda s: s.services[0].steps[2].state == "running")
        await press("Pause: ", "pause: applied")
        asks.rig.world.in_flight = {}
        await asks.rig.until(rollback, State.PAUSED)
        await press("Resume: ", "resume: applied")
    assert (await rollback.result()).result is Result.VERIFIED


def freeze(service: str) -> Freeze:
    now = datetime.now(UTC)
    until, reason = now + timedelta(hours=1), "inventory is counted"
    return Freeze(
        env="test", service=service, id=f"f-{service}", begins=now, until=until, reason=reason,
        by="ana@example.com", said_at=now,
    )  # fmt: skip


async def looked_at(on: Site, page: Page, name: str, path: str) -> None:
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    await page.goto(path)
    await on.shot(page, name)
    assert await violations(page) == [], name
    assert await is_within(page), f"{name} is wider than the window"
    assert not [text for text in wrong if "Content Security Policy" in text], name


@pytest.mark.long
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1100, "light")])
async def test_what_the_alarm_rests_on_is_seen_where_it_is_decided(
    asks: Site, width: int, scheme: str
) -> None:
    rollback = await asks.rig.start(trace=trace(datetime.now(UTC)))
    await asks.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    how = {"viewport": {"width": width, "height": 740}, "color_scheme": scheme}
    async with asks.context(**how) as context:
        page = await context.new_page()
        await page.goto(f"/{rollback.id}")
        drawn = page.locator("#evidence img")
        await expect(drawn).to_be_visible()
        await drawn.scroll_into_view_if_needed()
        await page.wait_for_function("document.querySelector('#evidence img').naturalWidth > 0")
        assert await violations(page) == []
        assert await is_within(page)
        await asks.shot(page, f"evidence-{width}-{scheme}")
    await rollback.abort(AbortCommand(by="test"))
    await rollback.result()
