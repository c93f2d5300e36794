"""A start by the gateway: allowed, audited, signed, begun by a real workflow; the glass, too."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from rollback_manager import claim
from rollback_manager.authority.may import Channel
from rollback_manager.authority.people import Kind, Person
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.glass import Glass
from rollback_manager.progress import Result, State
from starters.gateway import asking
from starters.gateway.auditing import Auditing
from starters.gateway.doors import Doors
from starters.gateway.problems import Refused
from starters.gateway.signing import SigningKey
from tests import rig
from tests.rig import Rig
from tests.secured import KEYS, SecuredRig, secured_rig
from tests.starters.gateway.conftest import doors_of, opened
from tests.starters.gateway.test_deciding import Chain

OWNER = Person(subject="ana@example.com", groups=("payments", "commanders"), method="web+mfa")
ON_CALL = Person(subject="oc@example.com", groups=("on-call",), method="web")
JOB = Person(subject="ci:github/1", kind=Kind.CI, method="ci")
WHY = {"incident": "inc-1", "reason": "everything fails and nobody answers"}


@pytest.fixture
async def made(client: Client, tmp_path: Path) -> AsyncIterator[SecuredRig]:
    async with (
        rig.rig(client, tmp_path, cached=1000, manned=False) as one,
        secured_rig(one).at_work() as other,
    ):
        assert isinstance(other, SecuredRig)
        yield other


def doors(made: Rig, chain: Chain, **more: Any) -> Doors:
    key = SigningKey("now", KEYS["now"])
    known = replace(doors_of(made), auditing=Auditing(chain), signer=lambda: key)
    return replace(known, **more)


async def test_what_the_gateway_signs_begins_also_by_another_process_and_a_second_time(
    made: SecuredRig,
) -> None:
    chain = Chain()
    request = made.request(requested_by=OWNER.subject)
    running = await asking.start(doors(made, chain), OWNER, request)
    assert (await made.until(running, State.WAITING_FOR_APPROVAL)).requested_by == OWNER.subject
    again = await asking.start(doors(made, chain), OWNER, request)
    assert again.id == running.id
    assert (await running.request()).unsigned == request
    (asked,) = chain.kept.values()
    assert (asked.subject, asked.action, asked.outcome) == (OWNER.subject, "start", "asked")
    assert asked.decision_jws
    assert asked.decision_jws not in repr(await running.request())


async def test_without_key_or_chain_nothing_is_started(made: SecuredRig) -> None:
    request = made.request(requested_by=OWNER.subject)
    with pytest.raises(PermanentError, match="must be signed"):
        await asking.start(doors(made, Chain(), signer=None), OWNER, request)
    with pytest.raises(Unreachable, match="audit chain"):
        await asking.start(doors(made, Chain(is_away=True)), OWNER, request)
    with pytest.raises(PermanentError, match="no running or remembered"):
        await made.rollbacks.rollback(f"rollback/test/{request.key}").request()


async def test_who_is_on_call_breaks_the_glass_and_it_goes_back_without_anybody(
    made: SecuredRig,
) -> None:
    chain = Chain()
    request = made.request(
        requested_by=ON_CALL.subject, break_glass=True, confirmed=made.service, **WHY
    )
    running = await asking.start(doors(made, chain), ON_CALL, request)
    assert (await running.result()).result is Result.VERIFIED
    assert (await running.status()).break_glass == ON_CALL.subject
    assert chain.told == [(ON_CALL.subject, "break_glass", "asked")]
    (glass,) = made.records.glasses("test")
    assert (glass.rollback, glass.by) == (running.id, ON_CALL.subject)


@pytest.mark.parametrize(
    ("person", "channel", "changes", "status", "because"),
    [
        (OWNER, Channel.CLI, {}, 403, "only on call"),
        (ON_CALL, Channel.SLACK, {}, 403, "by slack"),
        (JOB, Channel.CI, {}, 403, "by ci"),
        (Person(subject="alert:am", kind=Kind.ALERT), Channel.ALERT, {}, 403, "by alert"),
        (ON_CALL, Channel.CLI, {"incident": ""}, 409, "--incident"),
        (ON_CALL, Channel.CLI, {"reason": "too short"}, 409, "--reason"),
        (ON_CALL, Channel.WEB, {"confirmed": ""}, 409, "--confirm"),
    ],
)
async def test_who_may_not_break_the_glass_is_told_why_and_nothing_begins(
    made: SecuredRig,
    person: Person,
    channel: Channel,
    changes: dict[str, Any],
    status: int,
    because: str,
) -> None:
    chain = Chain()
    words = {"break_glass": True, "confirmed": made.service, **WHY, **changes}
    request = made.request(requested_by=person.subject, **words)
    with pytest.raises(Refused) as refused:
        await asking.start(doors(made, chain), person, request, channel)
    assert refused.value.status == status
    assert because in f"{refused.value.what} {refused.value.next_step}"
    ((subject, action, outcome),) = chain.told
    assert (subject, action, outcome[:8]) == (person.subject, "break_glass", "refused:")
    assert not made.records.glasses("test")
    assert not made.world.ledger


async def test_an_overdue_review_keeps_the_glass_whole(made: SecuredRig) -> None:
    at = datetime.now(UTC) - timedelta(hours=25)
    late = Glass(
        rollback="rollback/test/late", env="test", services=("other",), by=ON_CALL.subject,
        incident="inc-0", reason="so it was", broken_at=at, due_at=at + timedelta(hours=24),
    )  # fmt: skip
    made.records.keep_glass(late)
    request = made.request(
        requested_by=ON_CALL.subject, break_glass=True, confirmed=made.service, **WHY
    )
    with pytest.raises(Refused, match="not broken") as refused:
        await asking.start(doors(made, Chain()), ON_CALL, request)
    assert "The review of rollback/test/late is overdue" in refused.value.next_step


async def test_by_http_the_glass_is_broken_with_the_same_words_at_level_local(
    client: Client, tmp_path: Path
) -> None:
    async with rig.rig(client, tmp_path, cached=1000) as made, opened(made) as gate:
        body = {"env": "test", "services": [made.service], "break_glass": True, **WHY}
        refused = await gate.http.post("/api/v1/rollbacks", json=body)
        assert (refused.status_code, refused.json()["type"]) == (409, "glass-not-broken")
        assert f"--confirm={made.service}" in refused.json()["next_step"]
        started = await gate.http.post("/api/v1/rollbacks", json={**body, "confirm": made.service})
        assert started.status_code == 202
        running = made.rollbacks.rollback(started.json()["rollback"])
        assert (await running.result()).result is Result.VERIFIED
        (glass,) = made.records.glasses("test")
        assert glass.rollback == running.id


async def test_what_an_ended_rollback_left_is_gone_on_with_by_the_gateway(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "YOUNG", timedelta())
    async with rig.rig(client, tmp_path, cached=1000) as made, opened(made) as gate:
        made.world.running["v1"], made.world.not_ready["v1"] = 0, 4
        orphan = await made.start()
        await made.step_runs("prepare")
        await made.child().terminate("somebody pressed the button")
        await orphan.result()
        made.world.not_ready.clear()
        left = await gate.http.get(f"/api/v1/environments/test/services/{made.service}/left")
        assert left.json()["claim"]["rollback"] == orphan.id, left.text
        body = {"env": "test", "services": [made.service], "confirm": made.service}
        for_orphan = {**body, "adopts": orphan.id}
        assert (await gate.http.post("/api/v1/plans", json=body)).status_code == 409
        assert (await gate.http.post("/api/v1/plans", json=for_orphan)).status_code == 200
        started = await gate.http.post("/api/v1/rollbacks", json=for_orphan)
        assert started.status_code == 202
        running = made.rollbacks.rollback(started.json()["rollback"])
        assert (await running.result()).result is Result.VERIFIED


async def test_a_job_does_not_go_on_with_what_was_left(made: SecuredRig) -> None:
    request = made.request(requested_by=JOB.subject, adopts="rollback/test/old")
    with pytest.raises(Refused) as refused:
        await asking.start(doors(made, Chain()), JOB, request)
    assert refused.value.status == 403
