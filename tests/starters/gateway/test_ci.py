"""CI at the gateway: it signs in by its OIDC token, asks for its own services, decides nothing."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from proof.attack.identity_provider import Provider, new_key, rules
from rollback_manager.authority.ci_credentials import Credentials
from rollback_manager.authority.ci_rules import CiRule, Source
from rollback_manager.authority.ci_tokens import BadCiToken
from rollback_manager.authority.people import Accounts
from rollback_manager.errors import Unreachable
from starters.gateway.app import make_app
from starters.gateway.auditing import Auditing
from starters.gateway.ci.door import CiDoor, key_sets
from tests import rig
from tests.incident_rig import end_budget
from tests.rig import Rig
from tests.starters.gateway.conftest import ORIGIN, doors_of
from tests.starters.gateway.test_deciding import Chain

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
KEY = new_key()
SIGN_IN = "/api/v1/ci/credentials"


class Seen:
    """Remembers in this process; a stand-in for the records."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def first_time(self, key: str, ttl_s: int) -> bool:
        known = key in self._keys
        self._keys.add(key)
        return not known

    def is_known(self, key: str) -> bool:
        return key in self._keys


@dataclass
class Job:
    """A rig, the issuer of its CI, and a client before the gateway."""

    rig: Rig
    provider: Provider
    http: httpx.AsyncClient
    credential: str = ""

    async def sign_in(self, token: str | None = None) -> httpx.Response:
        answer = await self.http.post(SIGN_IN, json={"token": token or self.provider.token()})
        if answer.status_code == 201:
            self.credential = answer.json()["credential"]
        return answer

    async def send(self, method: str, path: str, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.credential}"}
        if key := more.pop("key", None):
            headers["Idempotency-Key"] = str(key)
        return await self.http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]

    def wanted(self, **more: object) -> dict[str, object]:
        return {"env": "test", "services": [self.rig.service], **more}

    async def start(self, key: str, **more: object) -> httpx.Response:
        body = self.wanted(**{"trigger": "ci", "confirm": self.rig.service, **more})
        return await self.send("POST", "/api/v1/rollbacks", json=body, key=key)


@asynccontextmanager
async def opened(made: Rig) -> AsyncIterator[Job]:
    provider = Provider(Source.GITHUB, datetime.now(UTC), key=KEY)
    known = doors_of(made).catalogue
    service = known.services[made.service]
    ours = service.model_copy(
        update={"ci": (CiRule.model_validate(rules(Source.GITHUB, ("test",))),)}
    )
    people = {"ana@example.com": Accounts(github=583231)}
    catalogue = known.model_copy(update={"services": {made.service: ours}, "people": people})
    door = CiDoor(
        issuers=(provider.issuer,),
        keys=key_sets((provider.issuer,), lambda url, at_most: provider.jwks()),
        replays=Seen(),
        credentials=Credentials(b"k" * 32),
    )
    at = provider.now  # it stands still: some tokens are a second too early, and stay it
    parts = {"catalogue": catalogue, "ci": door, "auditing": Auditing(Chain())}
    app = make_app(replace(doors_of(made), **parts, now=lambda: at))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield Job(made, provider, http)


@pytest.fixture
async def job(client: Client, tmp_path: Path) -> AsyncIterator[Job]:
    """v2 is bad, and a person must agree to every way back."""
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
    await end_budget(client)
    async with rig.rig(client, tmp_path, cached=1000, policy=policy) as made, opened(made) as one:
        yield one
    await end_budget(client)


async def test_a_job_asks_sees_and_aborts_and_never_approves(job: Job) -> None:
    answer = await job.sign_in()
    assert (answer.status_code, answer.json()["subject"]) == (201, "ci:github/4711"), answer.text
    plan = await job.send("POST", "/api/v1/plans", json=job.wanted())
    assert plan.status_code == 200, plan.text
    digest = plan.json()["digest"]
    started = await job.start("k-1", expect_plan=digest)
    assert started.status_code == 202, started.text
    where = f"/api/v1/{started.json()['rollback']}"
    for _ in range(200):
        seen = await job.send("GET", where)
        if seen.json().get("state") == "waiting_for_approval":
            break
        await asyncio.sleep(0.05)
    assert seen.json()["requested_by"] == "ci:github/4711"
    votes = ("approve", "reject", "pause", "resume", "retry_step", "skip_step")
    nonsense: tuple[object, ...] = (["abort_hold"], {}, None, 1)
    for decision in (*votes, *nonsense):
        vote = {"decision": decision, "plan": digest}
        refused = await job.send("POST", f"{where}/decisions", json=vote)
        assert (refused.status_code, refused.json()["type"]) == (403, "not-allowed"), decision
    assert (await job.send("GET", where)).json()["state"] == "waiting_for_approval"
    aborted = await job.send("POST", f"{where}/decisions", json={"decision": "abort_hold"})
    assert (aborted.status_code, aborted.json()["applied"]) == (200, True)


async def test_a_token_counts_once(job: Job) -> None:
    token = job.provider.token()
    answers = await asyncio.gather(*(job.sign_in(token) for _ in range(50)))
    assert sorted(one.status_code for one in answers) == [201] + [401] * 49


async def test_another_repositorys_service_is_closed(job: Job) -> None:
    await job.sign_in()
    strange = {"env": "test", "services": [job.rig.service, "other"], "trigger": "ci"}
    bodies: list[object] = [strange, job.wanted(env="prod", trigger="ci"), {"env": "test"}, [], 1]
    for body in bodies:
        for path in ("/api/v1/plans", "/api/v1/rollbacks"):
            answer = await job.send("POST", path, json=body)
            assert (answer.status_code, answer.json()["type"]) == (403, "not-allowed"), body


async def test_a_job_asks_before_a_deploy_and_records_it_for_its_own_service_alone(
    job: Job,
) -> None:
    await job.sign_in()
    own = {"env": "test", "service": job.rig.service, "version": "v1"}
    may = await job.send("POST", "/api/v1/ci/may-deploy", json=own)
    assert (may.status_code, may.json()["may"]) == (200, True), may.text
    recorded = await job.send("POST", "/api/v1/ci/releases", json=own)
    assert recorded.status_code == 201, recorded.text
    for path in ("may-deploy", "releases"):
        for strange in ({"service": "other"}, {"env": "prod"}):
            answer = await job.send("POST", f"/api/v1/ci/{path}", json=own | strange)
            assert answer.status_code == 403, path


async def test_a_rollback_that_a_person_started_is_not_the_jobs_to_see_or_abort(job: Job) -> None:
    await job.sign_in()
    rollback = await job.rig.start()
    for named in (rollback.id, "rollback/test/nobody"):
        seen = await job.send("GET", f"/api/v1/{named}")
        report = await job.send("GET", f"/api/v1/{named}/report")
        assert (report.status_code, report.json()["detail"]) == (403, seen.json()["detail"])
        abort = {"decision": "abort_hold"}
        aborted = await job.send("POST", f"/api/v1/{named}/decisions", json=abort)
        assert [seen.status_code, aborted.status_code] == [403, 403]
        assert seen.json()["detail"] == aborted.json()["detail"], "it does not tell which exist"


async def test_the_fourth_start_within_an_hour_is_too_many_and_a_rerun_is_none(job: Job) -> None:
    await job.sign_in()
    for key in ("k-1", "k-2", "k-2", "k-3", "k-1"):
        assert (await job.start(f"{key}-{job.rig.service}")).status_code == 202
    fourth = await job.start(f"k-4-{job.rig.service}")
    assert (fourth.status_code, fourth.json()["type"]) == (429, "too-many-starts")
    assert 3590 < int(fourth.headers["Retry-After"]) <= 3600


async def test_the_person_behind_a_job_has_asked_for_what_it_starts(job: Job) -> None:
    job.provider.__dict__["claims"] = claims_of(
        job.provider, actor="took-a-name", actor_id="583231"
    )
    await job.sign_in()
    key = f"k-1-{job.rig.service}"
    started = await job.start(key)
    request = await job.rig.rollbacks.rollback(started.json()["rollback"]).request()
    assert (request.requested_by, request.behind) == ("ci:github/4711", ("ana@example.com",))
    job.provider.__dict__["claims"] = claims_of(job.provider, actor="ben", actor_id="99")
    await job.sign_in()
    again = await job.start(key)  # somebody else runs the same job again
    assert (again.status_code, again.json()) == (202, started.json())
    body = {"behind": ["nobody@example.com"]}
    refused = await job.start(f"k-2-{job.rig.service}", **body)
    assert refused.status_code == 422
    await job.start(f"k-2-{job.rig.service}")
    request = await job.rig.rollbacks.rollback(f"rollback/test/k-2-{job.rig.service}").request()
    assert request.behind == ("ci:github/user/99",)


async def test_a_start_that_was_audited_and_never_sent_begins_when_another_runs_the_job_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = f"k-1-{job.rig.service}"

    async def away(*_: object) -> None:
        raise Unreachable("Temporal does not answer")

    job.provider.__dict__["claims"] = claims_of(job.provider, actor_id="98")
    await job.sign_in()
    with monkeypatch.context() as patched:
        patched.setattr("rollback_manager.client.RollbackClient.start", away)
        assert (await job.start(key)).status_code == 503
    job.provider.__dict__["claims"] = claims_of(job.provider, actor_id="99")
    await job.sign_in()
    started = await job.start(key)
    assert started.status_code == 202, started.text
    request = await job.rig.rollbacks.rollback(started.json()["rollback"]).request()
    assert request.behind == ("ci:github/user/99",)


def claims_of(provider: Provider, **more: str) -> Callable[[], dict[str, Any]]:
    return lambda: {**Provider.claims(provider), **more}


async def test_ci_cannot_start_one_as_if_a_person_did(job: Job) -> None:
    await job.sign_in()
    assert (await job.start("k-1", trigger="manual")).status_code == 422


async def test_every_route_that_is_not_named_is_closed_to_ci(job: Job) -> None:
    await job.sign_in()
    for method, path in (
        ("GET", "/api/v1/services"),
        ("GET", f"/api/v1/environments/test/services/{job.rig.service}/releases"),
        ("GET", "/api/v1/rollback/test/k/events"),
    ):
        assert (await job.send(method, path)).status_code == 403, path


async def test_a_credential_that_does_not_count_makes_nobody_the_operator(job: Job) -> None:
    job.credential = "forged"
    assert (await job.send("GET", "/api/v1/services")).status_code == 401
    assert (await job.http.get("/api/v1/services")).status_code == 200


async def test_without_an_issuer_there_is_no_door(job: Job) -> None:
    app = make_app(doors_of(job.rig))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        assert (await http.post(SIGN_IN, json={"token": "x"})).status_code == 404
        bearer = {"Authorization": "Bearer x"}
        assert (await http.get("/api/v1/services", headers=bearer)).status_code == 401


async def test_strangers_at_a_slow_issuer_hold_one_thread_and_not_those_of_decisions() -> None:
    goes_on, waiting = threading.Event(), []

    issued = Provider(Source.GITHUB, NOW, key=KEY)

    def slow(url: str, at_most: int) -> bytes:
        goes_on.wait(10)
        return issued.jwks()

    door = CiDoor(
        (issued.issuer,), key_sets((issued.issuer,), slow), Seen(), Credentials(b"k" * 32)
    )
    catalogue = rig.catalogue("shop", {})
    for _ in range(64):
        came = door.signed_in(issued.token(), catalogue, NOW)
        waiting.append(asyncio.create_task(came))
    try:
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            assert await asyncio.to_thread(lambda: "an entry of the audit chain")
    finally:
        goes_on.set()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_an_issuer_that_is_down_holds_up_nobody_of_another_one() -> None:
    up, down = (Provider(source, NOW, key=KEY) for source in (Source.GITHUB, Source.GITLAB))

    def fetch(url: str, at_most: int) -> bytes:
        if url == down.issuer.jwks:
            raise Unreachable("it does not answer")
        return up.jwks()

    issuers = (up.issuer, down.issuer)
    ours = (CiRule.model_validate(rules(Source.GITHUB, ("test",))),)
    catalogue = rig.catalogue("shop", {})
    service = catalogue.services["shop"].model_copy(update={"ci": ours})
    catalogue = catalogue.model_copy(update={"services": {"shop": service}})
    door = CiDoor(issuers, key_sets(issuers, fetch), Seen(), Credentials(b"k" * 32))
    assert (await door.signed_in(up.token(), catalogue, NOW)).places == ("test/shop",)
    with pytest.raises(Unreachable, match="the keys of gitlab cannot be read"):
        await door.signed_in(down.token(), catalogue, NOW)


@pytest.mark.parametrize(
    "more", [{"alg": "RS512"}, {"kty": "EC"}, {"use": "enc"}, {"kid": "key-2"}]
)
async def test_a_key_of_another_kind_signs_no_token_of_ci(more: dict[str, str]) -> None:
    issued = Provider(Source.GITHUB, NOW, key=KEY)
    (good,) = json.loads(issued.jwks())["keys"]
    other = json.dumps({"keys": [good | {"kid": "unused"}, good | more]}).encode()
    keys = key_sets((issued.issuer,), lambda url, at_most: other)
    door = CiDoor((issued.issuer,), keys, Seen(), Credentials(b"k" * 32))
    with pytest.raises(BadCiToken, match="its key is not the issuer's"):
        await door.signed_in(issued.token(), rig.catalogue("shop", {}), NOW)
