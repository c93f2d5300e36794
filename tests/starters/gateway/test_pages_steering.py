"""Pause, resume, retry and skip by the forms of a page; and what these forms may not say."""

import pytest

from proof.stand_ins import FailsAtFirst
from rollback_manager.client import Rollback
from rollback_manager.errors import PermanentError
from rollback_manager.progress import EndState, Result, State
from tests.starters.gateway.conftest import Gate
from tests.starters.gateway.test_pages import fields, sent

REFUSED = PermanentError("the program is not known to supervisord")


async def said(gate: Gate, where: str, form: dict[str, str], **more: str) -> str:
    """What the page says after the form was sent."""
    answer = await sent(gate, where, form | more)
    assert answer.status_code == 303, answer.text
    return (await gate.http.get(answer.headers["location"])).text


async def asked(gate: Gate, rollback: Rollback, verb: str) -> dict[str, str]:
    """The form of that verb as the rollback's page has it now."""
    page = (await gate.http.get(f"/{rollback.id}")).text
    return fields(page, f"/{rollback.id}/{verb}")


async def halted(gate: Gate, times: int) -> Rollback:
    """A rollback whose traffic cannot be moved so many times: each time it asks a person."""
    gate.rig.world.before_write = FailsAtFirst("set_shares", REFUSED, times)
    rollback = await gate.rig.start()
    await gate.rig.until(rollback, State.NEEDS_HUMAN)
    return rollback


async def test_a_person_pauses_and_resumes(gate: Gate) -> None:
    gate.rig.world.in_flight = {"v2": 3}  # the shift is done, and the drain waits
    rollback = await gate.rig.start()
    await gate.rig.until(rollback, lambda s: s.services[0].steps[2].state == "running")
    page = await said(gate, f"/{rollback.id}/pause", await asked(gate, rollback, "pause"))
    assert "pause: applied: it waits after the action under way" in page
    gate.rig.world.in_flight = {}
    await gate.rig.until(rollback, State.PAUSED)
    page = (await gate.http.get(f"/{rollback.id}")).text
    assert f'action="/{rollback.id}/pause"' not in page
    assert "The next step begins at once: " in page
    page = await said(gate, f"/{rollback.id}/resume", await asked(gate, rollback, "resume"))
    assert "resume: applied: it goes on" in page
    outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED
    assert {"pause by local:tester", "resume by local:tester"} <= set(outcome.services[0].commands)


async def test_a_step_that_waits_is_tried_again_and_by_an_old_page_not_again(gate: Gate) -> None:
    rollback = await halted(gate, 2)
    form = await asked(gate, rollback, "retry-step")
    assert (form["service"], form["step"]) == (gate.rig.service, "redirect_traffic")
    first = (await rollback.status()).services[0].nonce
    assert form["nonce"] == first
    page = await said(gate, f"/{rollback.id}/retry-step", form, reason="mended")
    assert "retry step: applied: retry_step redirect_traffic" in page
    await gate.rig.until(rollback, lambda s: s.services[0].nonce not in {"", first})
    old = form | {"id": "web-of-an-old-page"}
    for verb in ("retry-step", "skip-step"):
        late = await sent(gate, f"/{rollback.id}/{verb}", old | {"id": f"web-old-{verb}"})
        assert late.status_code == 409
        assert "does not ask that any more" in late.text
    form = await asked(gate, rollback, "retry-step")
    await said(gate, f"/{rollback.id}/retry-step", form)
    outcome = await rollback.result()
    assert outcome.result is Result.VERIFIED
    assert outcome.services[0].commands == (
        "retry_step redirect_traffic by local:tester: mended",
        "retry_step redirect_traffic by local:tester: ",
    )


async def test_a_step_is_skipped_after_saying_what_stays_undone(gate: Gate) -> None:
    gate.rig.world.before_write = FailsAtFirst("scale", REFUSED, 1)
    gate.rig.world.running["v1"] = 2
    rollback = await gate.rig.start()
    await gate.rig.until(rollback, State.NEEDS_HUMAN)
    page = (await gate.http.get(f"/{rollback.id}")).text
    assert "prepare counts as skipped" in page
    gate.rig.world.running["v1"] = 3  # somebody has seen to it by hand
    form = await asked(gate, rollback, "skip-step")
    page = await said(gate, f"/{rollback.id}/skip-step", form)
    assert "skip step: applied: skip_step prepare" in page
    outcome = await gate.rig.ends_as(rollback, EndState.ROLLED_BACK)
    assert outcome.services[0].commands[-1].startswith("skip_step prepare by local:tester")


HOSTILE: tuple[tuple[dict[str, str], int], ...] = (
    ({"step": ""}, 422),
    ({"nonce": ""}, 422),
    ({"plan": ""}, 422),
    ({"step": "../drain"}, 422),
    ({"step": "Drain"}, 422),
    ({"step": "x" * 64}, 422),
    ({"step": "drain\n"}, 422),
    ({"service": "a/b"}, 422),
    ({"service": ".."}, 422),
    ({"service": "x' OR '1'='1"}, 422),
    ({"nonce": "x" * 65}, 422),
    ({"steps": "drain"}, 422),
    ({"nonce": "f" * 24}, 409),
    ({"service": ""}, 409),
    ({"token": ""}, 403),
)


async def test_a_form_that_says_something_else_changes_nothing(gate: Gate) -> None:
    rollback = await halted(gate, 1)
    form = await asked(gate, rollback, "skip-step")
    for number, (change, status) in enumerate(HOSTILE):
        bent = form | {"id": f"web-{number}"} | change
        answer = await sent(gate, f"/{rollback.id}/skip-step", bent)
        assert (change, answer.status_code) == (change, status)
        assert "nchanged" in answer.text
    elsewhere = form | {"id": "web-a", "service": "another"}
    assert "nothing of that name waits there" in await said(
        gate, f"/{rollback.id}/skip-step", elsewhere
    )
    wrong = form | {"id": "web-b", "step": "drain"}
    page = await said(gate, f"/{rollback.id}/skip-step", wrong)
    assert "skip step: not applied: redirect_traffic waits for a person, not drain" in page
    assert (await rollback.status()).services[0].nonce == form["nonce"], "it is asked still"
    await said(gate, f"/{rollback.id}/retry-step", form | {"id": "web-c"})
    assert (await rollback.result()).result is Result.VERIFIED


@pytest.mark.parametrize("verb", ["pause", "resume", "retry-step", "skip-step"])
async def test_another_sites_form_is_refused(gate: Gate, verb: str) -> None:
    answer = await gate.http.post(
        f"/rollback/test/k/{verb}", data={"id": "web-1"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
