"""Freezes go by the gateway: allowed, signed where decisions are, audited, and not past it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest

from rollback_manager.authority.asks import about, content, must_be_signed
from rollback_manager.authority.people import Person
from rollback_manager.authority.token import BadToken, Dec, verify_key
from rollback_manager.deploys import DeployRequest, LiftFreezes, ListFreezes, SayFreeze
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.gates import GateAnswer
from starters.gateway.auditing import Auditing
from starters.gateway.signing import About, SigningKey, token
from tests.commands import typed
from tests.secured import NEXT, NOW
from tests.starters.gateway.conftest import ANA, BO, EVE, ORIGIN, SOON, Secured, opened

PATH = "/api/v1/freezes"


async def test_an_owner_freezes_its_service_it_is_shown_and_the_owner_ends_it(at: Secured) -> None:
    said = await at.freeze(ANA, key=f"f-{at.service}")
    assert said.status_code == 201, said.text
    (one,) = said.json()["freezes"]
    assert (one["id"], one["by"], one["service"]) == (f"f-{at.service}", ANA, at.service)
    again = await at.freeze(ANA, key=f"f-{at.service}")
    assert again.json() == said.json()
    (entry,) = [e for e in at.chain.entries() if e.action == "freeze"]
    assert (entry.subject, entry.object, entry.outcome) == (
        ANA,
        f"freezes/test/{at.service}",
        "asked",
    )
    assert entry.decision_jws

    plan = (await at.gate.rig.rollbacks.plan(at.gate.rig.request())).plan
    assert plan is not None
    (gate,) = [one for one in plan.gates if one.gate == "freeze"]
    assert gate.answer is GateAnswer.PASSED
    for page in ("/services", f"/services/test/{at.service}"):
        shown = (await at.get(page)).text
        assert "inventory" in shown, page
        assert "stops deploys; a rollback passes by rule" in shown, page

    lifted = await at.ask(ANA, "/lift", service=at.service)
    assert ([one["id"] for one in lifted.json()["lifted"]], lifted.json()["freezes"]) == (
        [f"f-{at.service}"],
        [],
    )
    assert (ANA, "unfreeze", "asked") in at.audited()


@pytest.mark.parametrize(
    ("who", "body"), [(EVE, {}), (ANA, {"service": None}), (EVE, {"service": None})]
)
async def test_who_may_not_freezes_nothing_and_that_is_kept(
    at: Secured, who: str, body: dict[str, None]
) -> None:
    """An owner of one service is none of the whole environment."""
    of: dict[str, Any] = {"service": at.service, **body}
    for answer in (await at.freeze(who, **of), await at.ask(who, "/lift", **of)):
        assert (answer.status_code, answer.json()["type"]) == (403, "not-allowed"), answer.text
    assert await at.ids() == []
    assert [(s, a) for s, a, o in at.audited() if o.startswith("refused: ")] == [
        (who, "freeze"),
        (who, "freeze"),
    ]


async def test_nobody_freezes_without_having_signed_in(at: Secured) -> None:
    body = {"env": "test", "until": SOON.isoformat(), "reason": "x"}
    assert (await at.gate.http.post(PATH, json=body)).status_code == 401
    assert (await at.gate.http.get(f"{PATH}?env=test")).status_code == 401


async def test_it_is_said_and_ended_on_the_services_page_by_who_may(at: Secured) -> None:
    where = f"/services/test/{at.service}"
    soon = {"until": SOON.isoformat(), "reason": "by hand"}

    async def click(by: str, verb: str, fields: dict[str, str]) -> httpx.Response:
        headers = at.as_(by)
        shown = (await at.gate.http.get(where, headers=headers)).text
        hidden = dict(re.findall(r'name="(token|id)" value="([^"]+)"', shown))
        assert set(hidden) == {"token", "id"}, shown
        sent = {**hidden, **fields}
        headers |= {"Origin": ORIGIN}
        return await at.gate.http.post(f"{where}/{verb}", data=sent, headers=headers)

    for by, fields, status in (
        (EVE, soon, 403),
        (ANA, soon | {"until": "tomorrow"}, 422),
        (ANA, soon | {"reason": " "}, 422),
        (ANA, soon | {"token": "forged"}, 403),
    ):
        refused = await click(by, "freeze", fields)
        assert refused.status_code == status, refused.text
        assert "<html" in refused.text
    assert await at.ids() == []
    said = await click(ANA, "freeze", soon | {"rollbacks_too": "yes"})
    assert (said.status_code, said.headers["location"]) == (303, where), said.text
    assert "stops deploys and rollbacks" in (await at.get(where)).text
    assert (await click(ANA, "unfreeze", {})).status_code == 403  # only a commander ends this one
    assert len(await at.ids()) == 1
    assert (await click(BO, "unfreeze", {})).status_code == 303
    assert await at.ids() == []


async def test_a_freeze_that_stops_rollbacks_is_ended_by_a_commander_alone(at: Secured) -> None:
    said = await at.freeze(ANA, direction="rollbacks_too")
    assert said.status_code == 201, said.text
    refused = await at.ask(ANA, "/lift", service=at.service)
    assert refused.status_code == 403
    assert "only incident commander ends it" in refused.json()["detail"]
    assert len(await at.ids()) == 1
    lifted = await at.ask(BO, "/lift", service=at.service)
    assert len(lifted.json()["lifted"]) == 1, lifted.text


async def test_a_key_is_one_freeze_and_a_lifted_one_does_not_come_back(at: Secured) -> None:
    key = f"f-{at.service}"
    assert (await at.freeze(ANA, key=key)).status_code == 201
    other = await at.freeze(ANA, key=key, reason="another one")
    assert (other.status_code, other.json()["type"]) == (409, "key-reused")
    whole = await at.freeze(BO, key=key, service=None)
    assert whole.status_code == 409, whole.text  # the records know the key, of another place
    assert await at.ids() == [key]
    await at.ask(ANA, "/lift", service=at.service)
    again = await at.freeze(ANA, key=key)
    assert again.status_code == 409
    assert "was lifted meanwhile" in again.json()["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "2020-01-01T00:00:00Z"},
        {"until": "2026-12-24"},
        {"reason": "  "},
        {"service": "nobody"},
        {"direction": "sideways"},
    ],
)
async def test_what_cannot_be_meant_freezes_nothing(at: Secured, wrong: dict[str, str]) -> None:
    answer = await at.freeze(BO, **wrong)
    assert answer.status_code in {409, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["next_step"]
    assert await at.ids() == []


async def test_past_the_gateway_nothing_is_frozen_and_nothing_lifted(at: Secured) -> None:
    words = ("--until", SOON.isoformat(), "--reason", "inventory", "--by", ANA)
    code, document, talk = await typed(at.gate.rig, "freeze", at.service, *words)
    assert (code, document["error"]) == (4, "NotPermitted"), talk
    assert "ROLLBACK_GATEWAY" in talk
    assert f"on the page /services/test/{at.service}" in document["next_step"]
    await at.freeze(ANA)
    straight = at.gate.rig.rollbacks
    lift = LiftFreezes(env="test", service=at.service, by=ANA)
    with pytest.raises(PermanentError, match="is secured"):
        await straight.deploys(DeployRequest(ask=lift))
    looked = await straight.deploys(DeployRequest(ask=ListFreezes(env="test")))
    assert [one.id for one in looked.freezes] == await at.ids()  # to look is everybody's
    assert len(looked.freezes) == 1

    (kept,) = [e for e in at.chain.entries() if e.action == "freeze"]
    mine = SayFreeze(env="test", service="", id="x", until=SOON, reason="r", by=ANA)
    stolen = mine.model_copy(update={"token": kept.decision_jws})
    with pytest.raises(PermanentError, match="is secured"):
        await straight.deploys(DeployRequest(ask=stolen))


LIFT = LiftFreezes(env="test", service="shop", ids=("f-1",), by=ANA)


@pytest.mark.parametrize(
    ("sent", "dec", "key", "because"),
    [
        (LIFT, Dec.UNFREEZE, "now", ""),
        (LIFT, Dec.FREEZE, "now", "signed to freeze"),
        (LIFT, Dec.UNFREEZE, "other", "signature is wrong"),
        (LIFT.model_copy(update={"ids": ("f-2",)}), Dec.UNFREEZE, "now", "another plan"),
        (LIFT.model_copy(update={"by": BO}), Dec.UNFREEZE, "now", "another plan"),
        (LIFT.model_copy(update={"env": "prod"}), Dec.UNFREEZE, "now", "another environment"),
    ],
)
def test_a_signature_is_for_just_this(sent: LiftFreezes, dec: Dec, key: str, because: str) -> None:
    now = datetime.now(UTC)
    of = About(env="test", rollback=about(LIFT), run="", plan=content(LIFT))
    signing = SigningKey("now", NOW if key == "now" else NEXT)
    made = token(lambda: signing, Person(subject=ANA, method="web"), dec, of, "d-1", now)
    asked = sent.model_copy(update={"token": made})
    keys = (verify_key(NOW, "now"),)
    if not because:
        must_be_signed(asked, keys, now)
        return
    with pytest.raises(BadToken, match=because):
        must_be_signed(asked, keys, now)


async def test_a_gateway_that_cannot_keep_it_freezes_nothing(at: Secured) -> None:
    class Away:
        """A stand-in for records that do not answer."""

        def append(self, _: object) -> None:
            raise Unreachable("away")

    auditing = Auditing(cast(Any, Away()))
    async with opened(at.gate.rig, **_otherwise(at, auditing)) as gate:
        answer = await replace(at, gate=gate).freeze(ANA)
        assert answer.status_code == 503
    assert await at.ids() == []


def _otherwise(at: Secured, auditing: Auditing) -> dict[str, Any]:
    doors = at.gate.doors
    return {"auditing": auditing, "sign_in": doors.sign_in, "signer": doors.signer}
