"""The REST API: one way back from plan to report, and every refusal as a problem."""

import asyncio

import pytest

from rollback_manager.incidents.triggers import TriggerKind
from tests import incident_rig
from tests.starters.gateway.conftest import ORIGIN, Gate


def _wanted(gate: Gate) -> dict[str, object]:
    return {"env": "test", "services": [gate.rig.service], "confirm": gate.rig.service}


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
    own = f"k-{gate.rig.service}"
    assert first == second == {"rollback": f"rollback/test/{own}", "env": "test", "key": own}


async def test_a_vote_counts_for_the_plan_that_it_quotes(asking: Gate) -> None:
    started = await asking.http.post("/api/v1/rollbacks", json=_wanted(asking))
    where = started.json()["rollback"]
    seen = await _until(asking, where, "waiting_for_approval")
    vote = {"decision": "approve", "plan": "0" * 64}
    vote["confirm"] = asking.rig.service
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
        (
            "POST",
            "/api/v1/incident/x/y/z/decisions",
            {"word": "monitor", "reason": "x"},
            404,
            "not-found",
        ),
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


async def test_a_word_that_nobody_knows_is_refused_and_starts_nothing(gate: Gate) -> None:
    """Ignored, this one would start a rollback to another version than the one that was meant."""
    meant = _wanted(gate) | {"version": "v0"}
    for path in ("plans", "rollbacks"):
        refused = await gate.http.post(f"/api/v1/{path}", json=meant)
        assert refused.status_code == 422
        assert "version" in refused.json()["detail"]


async def test_another_sites_page_cannot_ask_for_anything(gate: Gate) -> None:
    elsewhere = {"Origin": "http://elsewhere.test"}
    answer = await gate.http.post("/api/v1/rollbacks", json=_wanted(gate), headers=elsewhere)
    assert (answer.status_code, answer.json()["type"]) == (403, "wrong-origin")
    own = await gate.http.post("/api/v1/plans", json=_wanted(gate), headers={"Origin": ORIGIN})
    assert own.status_code == 200


async def test_another_name_for_this_address_is_not_answered(gate: Gate) -> None:
    answer = await gate.http.get("/api/v1/services", headers={"Host": "rebound.test:8088"})
    assert (answer.status_code, answer.json()["type"]) == (421, "wrong-host")


async def test_a_key_stands_for_one_request(gate: Gate) -> None:
    key = {"Idempotency-Key": f"k-{gate.rig.service}"}
    began = await gate.http.post("/api/v1/rollbacks", json=_wanted(gate), headers=key)
    assert began.status_code == 202
    other = _wanted(gate) | {"reason": "another one"}
    answer = await gate.http.post("/api/v1/rollbacks", json=other, headers=key)
    assert (answer.status_code, answer.json()["type"]) == (409, "key-reused")
    where = f"/api/v1/{began.json()['rollback']}/decisions"
    abort = {"decision": "abort_hold", "reason": "enough"}
    first, again = [(await gate.http.post(where, json=abort, headers=key)) for _ in range(2)]
    assert (
        first.json()
        == again.json()
        == {
            "applied": True,
            "because": "it stops at the next safe point",
            "pending": False,
        }
    )
    answer = await gate.http.post(where, json=abort | {"reason": "no"}, headers=key)
    assert (answer.status_code, answer.json()["type"]) == (409, "key-reused")


async def test_lists_and_reports_are_those_of_the_command_line(gate: Gate) -> None:
    started = await gate.http.post("/api/v1/rollbacks", json=_wanted(gate))
    where = started.json()["rollback"]
    await _until(gate, where, "finished")
    async with asyncio.timeout(10):
        while where not in (await gate.http.get("/api/v1/rollbacks?env=test")).text:
            await asyncio.sleep(0.1)
    (listed,) = [
        one
        for one in (await gate.http.get("/api/v1/rollbacks?env=test")).json()["rollbacks"]
        if one["rollback"] == where
    ]
    assert listed["services"] == [gate.rig.service]
    forms = {"md": "# ", "json": "{", "html": "<!doctype html>"}
    for form, begin in forms.items():
        report = await gate.http.get(f"/api/v1/{where}/report?output={form}")
        assert report.status_code == 200
        assert report.text.lower().startswith(begin), report.text[:80]
    assert "default-src 'none'" in report.headers["content-security-policy"]


async def test_health_needs_no_name_and_ready_needs_temporal(gate: Gate) -> None:
    elsewhere = {"Host": "10.0.0.7:8088"}
    assert (await gate.http.get("/healthz", headers=elsewhere)).json() == {"process": "up"}
    assert (await gate.http.get("/readyz", headers=elsewhere)).json() == {"temporal": "answers"}


async def test_an_incident_is_seen_and_takes_a_persons_word(gate: Gate) -> None:
    about = f"incident/test/{gate.rig.service}/v2"
    assert (await gate.http.get(f"/api/v1/{about}")).status_code == 404
    alarm = incident_rig.alarm(gate.rig, size=None, trigger=TriggerKind.DATA_CORRUPTION)
    await gate.rig.rollbacks.incidents.report(alarm)
    async with asyncio.timeout(20):
        while not (seen := (await gate.http.get(f"/api/v1/{about}")).json())["status"]["decision"]:
            await asyncio.sleep(0.1)
    assert seen["status"]["incident"]["service"] == gate.rig.service
    word = {"word": "monitor", "reason": "one customer alone"}
    got = (await gate.http.post(f"/api/v1/{about}/decisions", json=word)).json()
    assert got["applied"], got
    listed = (await gate.http.get("/api/v1/incidents?env=test")).json()["incidents"]
    assert about in [one["incident"] for one in listed]


async def test_what_is_watched_and_looked_after_is_listed(gate: Gate) -> None:
    assert (await gate.http.get("/api/v1/stays?env=nowhere")).json() == {"stays": []}
    none = await gate.http.get("/api/v1/environments/nowhere/watch")
    assert (none.status_code, none.json()["type"]) == (404, "not-found")


async def test_a_path_says_all_its_methods(gate: Gate) -> None:
    answer = await gate.http.put("/api/v1/rollbacks", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_decision_is_about_one_rollback(gate: Gate) -> None:
    """No door takes a list of them: who agrees has seen what to (security T37)."""
    described = (await gate.http.get("/api/v1/openapi.json")).json()["paths"]
    deciding = [path for path in described if "decision" in path or "approve" in path]
    assert sorted(deciding) == [
        "/api/v1/incident/{env}/{service}/{version}/decisions",
        "/api/v1/rollback/{env}/{key}/decisions",
    ]
    where = "/api/v1/rollback/test/k/decisions"
    votes = [{"decision": "approve", "plan": "0" * 64}] * 2
    assert (await gate.http.post(where, json=votes)).status_code == 422
    several = {"decision": "approve", "plan": ["0" * 64, "1" * 64]}
    assert (await gate.http.post(where, json=several)).status_code == 422
