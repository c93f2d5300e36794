"""What is said of releases, glasses and incidents goes by the gateway, signed; not past it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from rollback_manager.authority.may import Channel
from rollback_manager.authority.people import Kind, Person
from rollback_manager.catalogue import Catalogue
from rollback_manager.contract import (
    AdoptRequest,
    RecordRelease,
    ReleaseRequest,
    incident_id,
)
from rollback_manager.errors import PermanentError
from rollback_manager.glass import BreakGlass, GlassRequest, ReviewGlass
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.triggers import Source, TriggerKind
from rollback_manager.release import Standing
from starters.gateway import recording
from tests.commands import typed
from tests.incident_rig import alarm, end_budget, give, incident, until
from tests.rig import Rig
from tests.starters.gateway.conftest import ANA, BO, EVE, ORIGIN, Secured
from tests.starters.gateway.test_pages import fields


async def post(at: Secured, by: str, path: str, **body: Any) -> httpx.Response:
    return await at.gate.http.post(f"/api/v1/{path}", json=body, headers=at.as_(by))


def standing(at: Secured, version: str) -> Standing:
    known = at.gate.rig.records.releases("test", at.service)
    return next(one.standing for one in known if one.version == version)


async def test_an_owner_marks_and_records_and_nobody_does_past_the_gateway(at: Secured) -> None:
    where = f"environments/test/services/{at.service}/releases"
    told = {"standing": "verified", "because": "a week in production"}
    refused = await post(at, EVE, f"{where}/v2/standing", **told)
    assert refused.status_code == 403, refused.text
    before = standing(at, "v2")
    words = ("mark", at.service, "v2", "verified", "--by", ANA)
    code, document, talk = await typed(at.gate.rig, "releases", *words)
    assert (code, document["error"]) == (4, "NotPermitted"), talk
    assert "ROLLBACK_GATEWAY" in talk
    straight = RecordRelease(env="test", service=at.service, version="v1", by=ANA)
    with pytest.raises(PermanentError, match="releases are recorded by the gateway"):
        await at.gate.rig.rollbacks.releases(ReleaseRequest(ask=straight))
    assert standing(at, "v2") is before

    marked = await post(at, ANA, f"{where}/v2/standing", **told)
    assert marked.status_code == 200, marked.text
    assert standing(at, "v2") is Standing.VERIFIED
    recorded = await post(at, ANA, where, version="v1")
    assert recorded.status_code == 201, recorded.text
    signed = [e for e in at.chain.entries() if e.decision_jws]
    assert [(e.subject, e.action) for e in signed] == [
        (ANA, "mark_release"),
        (ANA, "record_release"),
    ]


async def test_a_job_records_its_own_release_as_before_and_the_gateway_signs_for_it(
    at: Secured,
) -> None:
    tree = at.gate.rig.parts.catalogue.model_dump()
    tree["environments"]["test"]["roles"]["ci"] = ["ci:github/8812"]
    known = replace(at.gate.doors, catalogue=Catalogue.model_validate(tree))
    job = Person(subject="ci:github/8812", kind=Kind.CI, method="ci")
    ask = RecordRelease(env="test", service=at.service, version="v1", by=job.subject)
    found = await recording.record(known, job, Channel.CI, ask)
    assert "v1" in [one.version for one in found.releases]
    (entry,) = [one for one in at.chain.entries() if one.action == "record_release"]
    assert (entry.subject, bool(entry.decision_jws)) == (job.subject, True)


async def test_a_review_is_somebody_elses_and_signed(at: Secured) -> None:
    key = f"k-{at.service}"
    broken = BreakGlass(
        rollback=f"rollback/test/{key}",
        env="test",
        services=(at.service,),
        by=ANA,
        incident="inc-1",
        reason="nobody could be reached",
    )
    at.gate.rig.records.keep_glass(broken.opened(datetime.now(UTC)))
    for by in (ANA, EVE):
        refused = await post(at, by, f"{broken.rollback}/review", reason="fine")
        assert refused.status_code == 403, refused.text
    forged = ReviewGlass(env="test", rollback=broken.rollback, by=BO, said="fine")
    with pytest.raises(PermanentError, match="a break-glass is reviewed by the gateway"):
        await at.gate.rig.rollbacks.glasses(GlassRequest(ask=forged))
    done = await post(at, BO, f"{broken.rollback}/review", reason="the rota was wrong")
    assert done.status_code == 200, done.text
    (glass,) = (g for g in done.json()["glasses"] if g["rollback"] == broken.rollback)
    assert glass["reviewed_by"] == BO


async def test_a_quarantine_is_ended_by_a_commander_and_not_past_the_gateway(at: Secured) -> None:
    """Nothing was left of this service: the refusal after the signature says so."""
    ask = AdoptRequest(env="test", service=at.service, give_back=True, by=BO)
    with pytest.raises(PermanentError, match="it is given back by the gateway"):
        await at.gate.rig.rollbacks.left(ask)
    path = f"environments/test/services/{at.service}/left/give-back"
    refused = await post(at, ANA, path, reason="looked myself")
    assert (refused.status_code, refused.json()["type"]) == (403, "not-allowed")
    asked = await post(at, BO, path, reason="looked myself")
    assert "left anything" in asked.json()["detail"], asked.text


async def test_what_is_held_is_given_back_by_a_commander(at: Secured) -> None:
    """Nothing is held here: the one who may is told that."""
    path = f"environments/test/services/{at.service}/hold/release"
    assert (await post(at, ANA, path, reason="git is mended")).status_code == 403
    assert (await post(at, BO, path, reason="git is mended")).status_code == 404


async def asking(at: Secured) -> Rig:
    """An incident that asks a person."""
    made = at.gate.rig
    made.world.shares_now = {"v1": 50, "v2": 50}
    await end_budget(made.client)
    odd: dict[str, Any] = {"trigger": TriggerKind.FEATURE_REGRESSION, "size": None}
    await give(made, alarm(made, source=Source.CLIENT, **odd))
    await until(made, Status.DECISION_MADE)
    return made


async def test_an_incident_is_answered_on_its_page_where_no_typed_word_counts(at: Secured) -> None:
    made = await asking(at)
    where = f"/{incident_id('test', made.service, 'v2')}"
    ana, bo = at.as_(ANA), at.as_(BO)
    page = (await at.gate.http.get(where, headers=ana)).text
    assert "incident decide" not in page
    form = fields(page, f"{where}/decide") | {"reason": "leave it", "word": "monitor"}

    async def sent(by: dict[str, str], **more: str) -> httpx.Response:
        said = {**by, "Origin": ORIGIN}
        return await at.gate.http.post(f"{where}/decide", data=form | more, headers=said)

    for by, wrong, status in (
        (bo, {}, 403),  # the form of somebody else
        (ana, {"word": "manual_review"}, 422),
        (ana, {"word": ""}, 422),
        (ana, {"reason": " "}, 422),
    ):
        answer = await sent(by, **wrong)
        assert answer.status_code == status, (wrong, answer.text)
    counted = await sent(ana)
    assert (counted.status_code, counted.headers.get("location")) == (303, where), counted.text
    await until(made, Status.MONITORING)
    late = await sent(ana, word="rollback", token="")
    assert late.status_code == 403
    await incident(made).terminate()


async def test_a_word_on_an_incident_by_the_gateway_is_followed(at: Secured) -> None:
    made = await asking(at)
    where = f"{incident_id('test', made.service, 'v2')}/decisions"
    refused = await post(at, EVE, where, word="monitor", reason="leave it")
    assert refused.status_code == 403, refused.text
    words = ("v2", "monitor", "--reason", "leave it", "--by", ANA)
    code, document, _ = await typed(made, "incident", "decide", made.service, *words)
    assert (code, document["applied"]) == (7, False)
    assert "not signed" in document["because"]
    answered = await post(at, ANA, where, word="monitor", reason="leave it")
    assert (answered.status_code, answered.json()["applied"]) == (200, True), answered.text
    await until(made, Status.MONITORING)
    await incident(made).terminate()
