"""Signing in with a real browser: out to the stand-in provider, back to the page, and out again."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr
from temporalio.client import Client

from rollback_manager.progress import Result, State
from starters.gateway.seal import Seal
from starters.gateway.sign_in.id_token import Issuer
from starters.gateway.signing import SigningKey
from tests import rig
from tests.rig import Rig
from tests.secured import GROUPS, NOW, secured_rig
from tests.starters.gateway.browser import Site, chromium, free_port, site, violations
from tests.starters.gateway.identity_provider import CLIENT, SECRET, StandInProvider, provider
from workers.sign_in import signing_in

ANA, BO, CY, EVE = (f"{name}@example.com" for name in ("ana", "bo", "cy", "eve"))
ASKED: dict[str, object] = {"approval": {"required": True, "deadline_s": 120}}
SIGNED_OUT = "You are signed out here"


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures of pages go; somewhere else, for people who want to look at them."""
    return Path(os.environ.get("PAGES_SHOTS", tmp_path))


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as one:
        yield one


@pytest.fixture
async def ids() -> AsyncIterator[StandInProvider]:
    async with provider() as one:
        yield one


@asynccontextmanager
async def opened(
    made: Rig, browser: Browser, ids: StandInProvider, shots: Path
) -> AsyncIterator[Site]:
    """The rig's gateway, where people sign in and decisions are signed."""
    issuer = Issuer(issuer=ids.issuer, client_id=CLIENT, client_secret=SecretStr(SECRET))
    port, seal = free_port(), Seal()
    async with (
        signing_in(issuer, seal, f"http://127.0.0.1:{port}", lambda: datetime.now(UTC)) as sign_in,
        site(
            made, browser, shots, port=port, seal=seal, sign_in=sign_in,
            signer=lambda: SigningKey("now", NOW),
        ) as one,
    ):  # fmt: skip
        yield one


@asynccontextmanager
async def somebody(on: Site, ids: StandInProvider, subject: str, path: str) -> AsyncIterator[Page]:
    """A browser of their own, in which this person has come to a page through the provider."""
    ids.subject, ids.groups = subject, GROUPS[subject]
    async with on.context() as context:
        page = await context.new_page()
        await page.goto(path)
        await expect(page.get_by_text(subject).first).to_be_visible()
        yield page


async def prove_and_approve(page: Page, service: str) -> None:
    """From the page of the rollback, with a new proof of who one is."""
    await page.get_by_role("link", name="Approve…").click()
    await page.get_by_role("link", name="Prove it again").click()
    await page.get_by_label("to confirm").fill(service)
    await page.get_by_role("button", name="Approve: ").click()


@pytest.mark.long
async def test_a_link_leads_through_the_provider_to_a_vote_in_ones_own_name(
    client: Client, tmp_path: Path, browser: Browser, ids: StandInProvider
) -> None:
    async with (
        rig.rig(client, tmp_path, cached=1000, policy=ASKED) as made,
        opened(made, browser, ids, tmp_path) as site,
    ):
        rollback = await made.start()
        await made.until(rollback, State.WAITING_FOR_APPROVAL)
        async with somebody(site, ids, ANA, f"/{rollback.id}") as page:
            await expect(page.get_by_text("signed in, web (pwd)")).to_be_visible()
            assert await violations(page) == []
            ids.amr = ("pwd", "otp")
            await page.get_by_role("link", name="Approve…").click()
            await page.get_by_role("link", name="Prove it again").click()
            await expect(page.get_by_text("signed in, web+mfa (pwd, otp)")).to_be_visible()
            assert await violations(page) == []
            ids.is_down = True  # who is signed in needs it no more
            await page.get_by_label("to confirm").fill(made.service)
            await page.get_by_role("button", name="Approve: ").click()
            await expect(page.locator("#said")).to_contain_text("approve: applied")
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text(SIGNED_OUT)
            assert await violations(page) == []
            left = await page.context.cookies()
            assert not [one for one in left if "session" in one["name"]]
        outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED
    assert [(vote.by, vote.method) for vote in outcome.decisions] == [(ANA, "web+mfa")]


@pytest.mark.long
async def test_two_people_agree_each_in_their_own_browser_and_nobody_for_them(
    client: Client, tmp_path: Path, browser: Browser, ids: StandInProvider, shots: Path
) -> None:
    ids.amr = ("pwd", "otp")
    async with rig.rig(client, tmp_path, cached=1000, policy=ASKED, manned=False) as bare:
        made = secured_rig(bare, strategy="rolling_update")
        async with made.worker(), opened(made, browser, ids, shots) as site:
            rollback = await made.start(requested_by=CY)
            asked = await made.until(rollback, State.WAITING_FOR_APPROVAL)
            assert (str(asked.tier), asked.quorum) == ("T3", "0 of 2")
            where = f"/{rollback.id}"
            for nobody, because in ((CY, "asked for it"), (EVE, "may not approve")):
                async with somebody(site, ids, nobody, where) as page:
                    await prove_and_approve(page, made.service)
                    await expect(page.get_by_role("main")).to_contain_text(because)
                    await site.shot(page, f"not-{nobody.partition('@')[0]}")
            async with somebody(site, ids, ANA, where) as ana:
                await prove_and_approve(ana, made.service)
                await expect(ana.locator("#said")).to_contain_text("approve: applied")
                await expect(ana.locator("#asked")).to_contain_text("Agreed: 1 of 2")
                await site.shot(ana, "one-of-two")
                assert await violations(ana) == []
                async with somebody(site, ids, BO, where) as bo:
                    await prove_and_approve(bo, made.service)
                    await expect(bo.locator("#said")).to_contain_text("approve: applied")
                await expect(ana.locator("#asked")).not_to_contain_text("Agreed", timeout=10_000)
            outcome = await rollback.result()
    assert [vote.by for vote in outcome.decisions if vote.counted] == [ANA, BO]
    assert outcome.result is Result.VERIFIED
