"""Pages: what they show, what their forms change, and what no form may."""

import html
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from rollback_manager.progress import EndState, Result, State
from starters.gateway.pages.rendered import LOCAL
from tests import rig
from tests.starters.gateway.conftest import ORIGIN, Gate, opened
from tests.traces import trace

FROM_HERE = {"Origin": ORIGIN}


@pytest.fixture(scope="module")
async def ended(client: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gate]:
    """A gateway before one rollback that has ended well, to be looked at only."""
    folder = tmp_path_factory.mktemp("ended")
    async with rig.rig(client, folder, cached=1000) as made, opened(made) as gate:
        rollback = await made.start(key=KEY)
        assert (await rollback.result()).result is Result.VERIFIED
        yield gate


KEY = f"ended-{uuid.uuid4().hex[:8]}"
ENDED = f"rollback/test/{KEY}"


def fields(page: str, action: str) -> dict[str, str]:
    """What the form with this action sends if nobody types anything."""
    form = re.search(rf'<form method="post" action="{re.escape(action)}">(.*?)</form>', page, re.S)
    assert form, f"no form to {action}"
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[1])
    return {name: html.unescape(value) for name, value in hidden}


async def waiting(gate: Gate) -> str:
    """The id of a rollback that waits for a person."""
    rollback = await gate.rig.start(reason="<script>alert(1)</script>\u202e")
    await gate.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    return rollback.id


async def sent(gate: Gate, where: str, form: dict[str, str], **headers: str) -> httpx.Response:
    return await gate.http.post(where, data=form, headers={**FROM_HERE, **headers})


async def test_an_approval_is_confirmed_and_counts_and_says_so(asking: Gate) -> None:
    where = await waiting(asking)
    assert "Approve… (T2)" in (await asking.http.get(f"/{where}")).text
    page = (await asking.http.get(f"/{where}/approve")).text
    assert "Blast radius: 1 service in test, 3 instances" in page
    form = fields(page, f"/{where}/approve")
    lacking = await sent(asking, f"/{where}/approve", form | {"confirm": "another"})
    assert lacking.status_code == 422
    assert "Type the name of the service to confirm" in lacking.text
    assert (await asking.rig.rollbacks.rollback(where).status()).decisions == ()
    answer = await sent(asking, f"/{where}/approve", form | {"confirm": asking.rig.service})
    assert answer.status_code == 303
    back = (await asking.http.get(answer.headers["location"])).text
    assert "approve: applied: counted for plan" in back
    outcome = await asking.rig.rollbacks.rollback(where).result()
    assert outcome.result is Result.VERIFIED
    assert [(vote.by, vote.method) for vote in outcome.decisions] == [("local:tester", "local")]
    ended = (await asking.http.get(f"/{where}")).text
    assert "VERIFIED" in ended
    assert "<form" not in ended


async def to_approve(gate: Gate, where: str) -> dict[str, str]:
    """The form of an approval as somebody sends it who has typed what is asked for."""
    page = (await gate.http.get(f"/{where}/approve")).text
    return fields(page, f"/{where}/approve") | {"confirm": gate.rig.service}


@pytest.mark.long
async def test_below_t2_one_click_is_enough(client: Client, tmp_path: Path) -> None:
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
    async with rig.rig(client, tmp_path, cached=1000, policy=policy, manned=False) as made:
        t1 = replace(made, decisions={"tier_up_without_evidence": False})
        async with t1.worker(), opened(t1) as gate:
            where = await waiting(gate)
            form = fields((await gate.http.get(f"/{where}")).text, f"/{where}/approve")
            assert (await sent(gate, f"/{where}/approve", form)).status_code == 303
            outcome = await gate.rig.rollbacks.rollback(where).result()
    assert outcome.result is Result.VERIFIED


async def test_a_second_click_is_the_same_vote(asking: Gate) -> None:
    where = await waiting(asking)
    form = await to_approve(asking, where)
    first, second = [await sent(asking, f"/{where}/approve", form) for _ in range(2)]
    assert (first.status_code, second.status_code) == (303, 303)
    outcome = await asking.rig.rollbacks.rollback(where).result()
    assert len(outcome.decisions) == 1


@pytest.mark.long
async def test_a_rejection_leaves_production_as_it_is(asking: Gate) -> None:
    where = await waiting(asking)
    form = fields((await asking.http.get(f"/{where}")).text, f"/{where}/reject")
    await sent(asking, f"/{where}/reject", {**form, "reason": "not this one"})
    outcome = await asking.rig.rollbacks.rollback(where).result()
    assert outcome.result is Result.REJECTED
    assert asking.rig.world.shares_now == {"v2": 100}


@pytest.mark.parametrize("mode", ["hold", pytest.param("restore", marks=pytest.mark.long)])
async def test_an_abort_says_first_what_it_does(gate: Gate, mode: str) -> None:
    gate.rig.world.in_flight = {"v2": 3}  # the shift is done, and the drain waits
    rollback = await gate.rig.start()
    await gate.rig.until(rollback, lambda s: s.services[0].steps[2].state == "running")
    page = (await gate.http.get(f"/{rollback.id}/abort")).text
    assert "Users get the release again that was called bad." in page
    form = fields(page, f"/{rollback.id}/abort") | {"mode": mode}
    answer = await sent(gate, f"/{rollback.id}/abort", form)
    assert (
        "it stops at the next safe point" in (await gate.http.get(answer.headers["location"])).text
    )
    gate.rig.world.in_flight = {}
    outcome = await rollback.result()
    ends = {"hold": EndState.ROLLED_BACK, "restore": EndState.RESTORED}
    assert (outcome.result, outcome.services[0].end) == (Result.ABORTED, ends[mode])


async def test_every_page_says_who_it_takes_you_for_and_keeps_browsers_strict(ended: Gate) -> None:
    service = ended.rig.service
    paths = ["/", "/services", f"/services/test/{service}", "/incidents", f"/{ENDED}"]
    paths += [f"/{ENDED}/report", "/rollback/test/nobody", "/incident/test/x/y"]
    for path in paths:
        answer = await ended.http.get(path)
        assert LOCAL in answer.text, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<[^>]*\s(style|on\w+)=|<style|javascript:", answer.text), path


async def test_foreign_text_stays_text(asking: Gate) -> None:
    where = await waiting(asking)
    page = (await asking.http.get(f"/{where}")).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\u202e" not in page


NOT_OURS: tuple[tuple[dict[str, str], dict[str, str], int], ...] = (
    ({}, {"Origin": "https://elsewhere.example"}, 403),
    ({}, {"Origin": "null"}, 403),
    ({}, {"Origin": ""}, 403),
    ({"token": ""}, {}, 403),
    ({"token": "e30.e30.e30"}, {}, 403),
    ({"id": "x y"}, {}, 422),
    ({"plan": "not hex"}, {}, 422),
    ({"reason": "x" * 2001}, {}, 422),
    ({"surprise": "1"}, {}, 422),
    ({"reason": "x" * 20_000}, {}, 413),
    ({}, {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ({}, {"Content-Type": "application/json"}, 415),
)


async def test_a_form_that_is_not_ours_changes_nothing(asking: Gate) -> None:
    where = await waiting(asking)
    form = await to_approve(asking, where)
    for change, headers, status in NOT_OURS:
        answer = await sent(asking, f"/{where}/approve", form | change, **headers)
        assert (change, headers, answer.status_code) == (change, headers, status)
        assert "nchanged" in answer.text
    unsaid = await asking.http.post(f"/{where}/approve", data=form)  # every browser says it
    assert unsaid.status_code == 403
    twice = "&".join(f"{name}={value}" for name, value in [*form.items(), ("plan", "0" * 12)])
    for body in (twice, "%ff=%ff", "a" * 50, "=&=&="):
        typed = {**FROM_HERE, "Content-Type": "application/x-www-form-urlencoded"}
        answer = await asking.http.post(f"/{where}/approve", content=body, headers=typed)
        assert answer.status_code in {403, 422}, body
    assert (await asking.rig.rollbacks.rollback(where).status()).decisions == ()


async def test_the_answer_on_a_page_cannot_be_forged_by_a_link(ended: Gate) -> None:
    for forged in ("approve: applied", "eyJhbGciOiJub25lIn0.eyJ0ZXh0IjoiaGEifQ."):
        page = await ended.http.get(f"/{ENDED}", params={"said": forged})
        assert page.status_code == 200
        assert 'id="said"' not in page.text


@pytest.mark.long
async def test_a_picture_is_a_document_that_runs_nothing(ended: Gate) -> None:
    page = (await ended.http.get(f"/{ENDED}")).text
    (address,) = re.findall(r'<img src="([^"]+)"', page)
    picture = await ended.http.get(html.unescape(address))
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.headers["content-security-policy"].endswith("sandbox")
    assert "<title>rollback of" in picture.text
    assert "<script" not in picture.text


@pytest.mark.long
async def test_what_the_alarm_rests_on_is_drawn_on_the_page_where_there_is_any(
    asking: Gate, ended: Gate
) -> None:
    rollback = await asking.rig.start(trace=trace(datetime.now(UTC)))
    await asking.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    page = (await asking.http.get(f"/{rollback.id}")).text
    (address,) = re.findall(r'<img src="([^"]+/evidence.svg[^"]*)"', page)
    picture = await asking.http.get(html.unescape(address))
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.headers["content-security-policy"].endswith("sandbox")
    assert "evidence against v2 until the alarm" in picture.text
    assert re.search(r'<svg[^>]* width="(\d+)[^"]*" height="(\d+)', picture.text), picture.text[
        :300
    ]
    assert "evidence.svg" not in (await ended.http.get(f"/{ENDED}")).text
    assert (await ended.http.get(f"/{ENDED}/evidence.svg")).status_code == 404


@pytest.mark.long
async def test_a_report_can_be_taken_away_as_a_file(ended: Gate) -> None:
    for form, begins in (
        ("html", "<!doctype html>"),
        ("md", "# VERIFIED"),
        ("json", '{"rollback"'),
    ):
        file = await ended.http.get(f"/{ENDED}/report.{form}")
        assert file.text.startswith(begins)
        assert file.headers["content-disposition"].startswith("attachment; filename=")
    assert (await ended.http.get(f"/{ENDED}/report.pdf")).status_code == 404


async def test_other_names_of_this_machine_lead_to_the_one_address(ended: Gate) -> None:
    answer = await ended.http.get("http://localhost:8088/services?x=1")
    assert (answer.status_code, answer.headers["location"]) == (307, f"{ORIGIN}/services?x=1")
    assert (await ended.http.get("/", headers={"Host": "evil.example"})).status_code == 421


async def test_pages_tell_of_services_and_their_way_back(gate: Gate) -> None:
    page = (await gate.http.get("/services")).text
    assert "from v2 back to v1: newest verified release that is not bad" in page
    one = (await gate.http.get(f"/services/test/{gate.rig.service}")).text
    assert "baseline of v1: 0.0 % of 10000 requests failed" in one
    assert (await gate.http.get("/services/test/nobody")).status_code in {404, 409, 422}
