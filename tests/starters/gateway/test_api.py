"""The REST API: one way back from plan to report, and every refusal as a problem."""

import asyncio

import pytest

from tests.starters.gateway.conftest import ORIGIN, Gate


def _wanted(gate: Gate) -> dict[str, object]:
    return {"env": "test", "services": [gate.rig.service]}


async def _until(gate: Gate, where: str, state: str) -> dict[str, object]:
    for _ in range(200):
        seen: dict[str, object] = (await gate.http.get(f"/api/v1/{where}")).json()
        if seen["state"] == state:
            return seen
        await asyncio.sleep(0.05)
    raise AssertionError(seen)


async def test_a_release_goes_back_from_plan_to_verified(gate: Gate) -> None:
    plan = (await gate.http.post("/api/v1/plans", json=_wanted(gate))).json()
    assert plan["services"][0]["to_version"] == "v1"
    started = await gate.http.post(
        "/api/v1/rollbacks", json=_wanted(gate) | {"expect_plan": plan["digest"]}
    )
    assert started.status_code == 202
    seen = await _until(gate, started.json()["rollback"], "finished")
    assert seen["outcome"]["result"] == "verified"  # type: ignore[index]
    assert seen["requested_by"] == "local:tester"


async def test_the_same_key_is_the_same_rollback(gate: Gate) -> None:
    key = {"Idempotency-Key": f"k-{gate.rig.service}"}
    first, second = [
        (await gate.http.post("/api/v1/rollbacks", json=_wanted(gate), headers=key)).json()
        for _ in range(2)
    ]
    assert first == second == {"rollback": f"rollback/test/k-{gate.rig.service}"}


async def test_a_vote_counts_for_the_plan_that_it_quotes(asking: Gate) -> None:
    started = await asking.http.post("/api/v1/rollbacks", json=_wanted(asking))
    where = started.json()["rollback"]
    seen = await _until(asking, where, "waiting_for_approval")
    vote = {"decision": "approve", "plan": "0" * 64}
    stale = (await asking.http.post(f"/api/v1/{where}/decisions", json=vote)).json()
    assert stale["applied"] is False
    assert "quotes plan" in stale["because"]
    vote["plan"] = str(seen["digest"])
    assert (await asking.http.post(f"/api/v1/{where}/decisions", json=vote)).json()["applied"]
    ended = await _until(asking, where, "finished")
    assert ended["outcome"]["result"] == "verified"  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "type_"),
    [
        ("GET", "/api/v1/rollback/test/never-was", None, 404, "not-found"),
        ("GET", "/nowhere", None, 404, "not-found"),
        ("DELETE", "/api/v1/services", None, 405, "method-not-allowed"),
        ("POST", "/api/v1/plans", {"env": "test", "services": ["<script>"]}, 422, "not-understood"),
        ("POST", "/api/v1/plans", {"env": "test", "services": ["nobody"]}, 422, "refused"),
    ],
)
async def test_a_refusal_says_what_it_means_and_what_to_do(
    gate: Gate, method: str, path: str, body: object, status: int, type_: str
) -> None:
    answer = await gate.http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, type_)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["effect"]
    assert answer.json()["next_step"]
    assert "script" not in answer.text


async def test_another_sites_page_cannot_ask_for_anything(gate: Gate) -> None:
    elsewhere = {"Origin": "http://elsewhere.test"}
    answer = await gate.http.post("/api/v1/rollbacks", json=_wanted(gate), headers=elsewhere)
    assert (answer.status_code, answer.json()["type"]) == (403, "wrong-origin")
    own = await gate.http.post("/api/v1/plans", json=_wanted(gate), headers={"Origin": ORIGIN})
    assert own.status_code == 200


async def test_another_name_for_this_address_is_not_answered(gate: Gate) -> None:
    answer = await gate.http.get("/api/v1/services", headers={"Host": "rebound.test:8088"})
    assert (answer.status_code, answer.json()["type"]) == (421, "wrong-host")
