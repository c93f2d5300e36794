"""Signing in with a real browser: out to the stand-in provider, back to the page, and out again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from pydantic import SecretStr
from temporalio.client import Client

from rollback_manager.progress import Result, State
from starters.gateway.seal import Seal
from starters.gateway.sign_in.id_token import Issuer
from tests import rig
from tests.starters.gateway.browser import Site, chromium, free_port, site, violations
from tests.starters.gateway.identity_provider import CLIENT, SECRET, StandInProvider, provider
from workers.sign_in import signing_in


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as one:
        yield one


@pytest.fixture
async def ids() -> AsyncIterator[StandInProvider]:
    async with provider() as one:
        yield one


@pytest.fixture
async def signed(
    client: Client, tmp_path: Path, browser: Browser, ids: StandInProvider
) -> AsyncIterator[Site]:
    """A gateway where people sign in, and a rollback has to be agreed to."""
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
    issuer = Issuer(issuer=ids.issuer, client_id=CLIENT, client_secret=SecretStr(SECRET))
    port, seal = free_port(), Seal()
    async with (
        rig.rig(client, tmp_path, cached=1000, policy=policy) as made,
        signing_in(issuer, seal, f"http://127.0.0.1:{port}", lambda: datetime.now(UTC)) as sign_in,
        site(made, browser, tmp_path, port=port, seal=seal, sign_in=sign_in) as one,
    ):
        yield one


@pytest.mark.long
async def test_a_link_to_a_rollback_leads_through_the_provider_to_a_vote_in_ones_own_name(
    signed: Site, ids: StandInProvider
) -> None:
    rollback = await signed.rig.start()
    await signed.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    async with signed.context() as context:
        page = await context.new_page()
        await page.goto(f"/{rollback.id}")
        await expect(page.get_by_text("signed in, web (pwd)")).to_be_visible()
        await page.get_by_role("link", name="Approve…").click()
        ids.amr = ("pwd", "otp")
        await page.get_by_role("link", name="Prove it again").click()
        await expect(page.get_by_text("signed in, web+mfa (pwd, otp)")).to_be_visible()
        assert await violations(page) == []
        ids.is_down = True  # who is signed in needs it no more
        await page.get_by_label("to confirm").fill(signed.rig.service)
        await page.get_by_role("button", name="Approve: ").click()
        await expect(page.locator("#said")).to_contain_text("approve: applied")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out here")
        assert await violations(page) == []
        assert not [one for one in await context.cookies() if "session" in one["name"]]
    outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED
    assert [(vote.by, vote.method) for vote in outcome.decisions] == [
        ("ana@example.com", "web+mfa")
    ]
