"""The command line by way of the gateway: as who signed in there, over real sockets."""

import asyncio
import json
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from temporalio.client import Client

from proof.attack.identity_provider import AUDIENCE, Provider, new_key, rules
from rollback_manager.authority.ci_credentials import Credentials
from rollback_manager.authority.ci_rules import CiRule, Source
from rollback_manager.contract import AbortCommand, Decision, Vote
from rollback_manager.deploys import (
    DeployAnswer,
    DeployAsk,
    DeployRequest,
    LiftFreezes,
    ListFreezes,
    MayDeploy,
    SayFreeze,
)
from rollback_manager.errors import Blocked, NotPermitted, Unreachable
from rollback_manager.freezes import Freeze
from rollback_manager.progress import State
from rollback_manager.tier import Tier
from starters.by_gateway import web
from starters.by_gateway.api import Api
from starters.by_gateway.client import GatewayClient
from starters.by_gateway.rollback import GatewayRollback
from starters.gateway.app import make_app
from starters.gateway.ci.door import CiDoor, key_sets
from starters.gateway.doors import Binding
from starters.refusals import UsageError
from starters.settings import Gateway
from tests import rig
from tests.commands import ROOT
from tests.incident_rig import end_budget
from tests.rig import Rig
from tests.starters.gateway.conftest import doors_of
from tests.starters.gateway.test_ci import Seen
from workers.gateway import served

KEY = new_key()
NO_TOKEN, NOT_SET = "e30.e30.e30", "env:NOT_SET"


@dataclass
class Reached:
    """A gateway that listens, and the CI whose jobs it knows."""

    rig: Rig
    url: str
    provider: Provider


@contextmanager
def github(provider: Provider) -> Iterator[dict[str, str]]:
    """A stand-in for where a job of GitHub asks for its token; what it is told of it."""

    class Tokens(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            may = self.headers["Authorization"] == "bearer of-the-job"
            claims = {**provider.claims(), "aud": asked["audience"][0]}
            body = json.dumps({"value": provider.token(claims)} if may else {}).encode()
            self.send_response(200 if may else 401)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
    try:
        yield {
            "ACTIONS_ID_TOKEN_REQUEST_URL": url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
            "ROLLBACK_GATEWAY_AUDIENCE": AUDIENCE,
        }
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
async def reached(client: Client, tmp_path: Path) -> AsyncIterator[Reached]:
    async with _reached(client, tmp_path) as one:
        yield one


@asynccontextmanager
async def _reached(client: Client, tmp_path: Path, **policy: object) -> AsyncIterator[Reached]:
    await end_budget(client)
    opened = rig.rig(client, tmp_path, cached=1000, policy=policy)
    async with opened as made, open_to_ci(made) as one:
        yield one
    await end_budget(client)


@asynccontextmanager
async def open_to_ci(made: Rig) -> AsyncIterator[Reached]:
    """A gateway that listens, at which jobs for this service sign in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    provider = Provider(Source.GITHUB, datetime.now(UTC), key=KEY)
    known = doors_of(made)
    ruled = (CiRule.model_validate(rules(Source.GITHUB, ("test",))),)
    ours = known.catalogue.services[made.service].model_copy(update={"ci": ruled})
    doors = replace(
        known,
        catalogue=known.catalogue.model_copy(update={"services": {made.service: ours}}),
        binding=Binding("127.0.0.1", port, url, (f"127.0.0.1:{port}",)),
        ci=CiDoor(
            issuers=(provider.issuer,),
            keys=key_sets((provider.issuer,), lambda url, at_most: provider.jwks()),
            replays=Seen(),
            credentials=Credentials(b"k" * 32),
        ),
    )
    async with served(make_app(doors), doors.binding):
        yield Reached(made, url, provider)


async def typed(env: dict[str, str], *words: str) -> tuple[int, dict[str, Any], str]:
    """A command in a process of its own, which cannot reach Temporal."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollback_manager", *words, "--json"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TEMPORAL_ADDRESS": "127.0.0.1:1", **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, talk = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, json.loads(out.splitlines()[-1]), talk.decode()


async def test_a_job_of_github_rolls_back_without_temporal_and_without_a_secret(
    reached: Reached,
) -> None:
    service = reached.rig.service
    with github(reached.provider) as job:
        env = {"ROLLBACK_GATEWAY": reached.url, "ROLLBACK_ENV": "test", **job}
        env |= {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_JOB": "deploy"}
        code, document, talk = await typed(env, "start", service, "--yes", "--confirm", service)
        assert (code, document["outcome"]["result"]) == (0, "verified"), talk
        status = await reached.rig.rollbacks.rollback(document["rollback"]).status()
        assert status.requested_by == "ci:github/4711"
        assert f"security: by the gateway {reached.url}" in talk

        vote = ("approve", document["rollback"], "--plan", "0" * 64, "--confirm", service)
        code, document, _ = await typed(env, *vote)
        assert (code, document["error"]) == (4, "NotPermitted"), document
        code, document, talk = await typed(env, "may-deploy", service, "--version", "v2")
        assert (code, document["may_deploy"], document["known"]) == (7, False, True), talk
        assert document["because"][0].startswith("v2 is bad: undone by rollback/test/ci-shop")
        code, document, talk = await typed(env, "releases", "record", service, "v1")
        assert code == 0, talk


async def test_what_one_person_alone_types_out_reaches_the_gateway(
    client: Client, tmp_path: Path
) -> None:
    waits = {"required": True, "deadline_s": 30}
    async with _reached(client, tmp_path, approval=waits) as reached:
        made = reached.rig
        rollback = await made.start()
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        assert status.tier is Tier.T2
        vote = Vote(plan=status.digest, by="local:x")
        async with GatewayClient(Gateway(reached.url)) as by_gateway:
            with pytest.raises(NotPermitted, match="type the service out"):
                await by_gateway.rollback(rollback.id).vote(
                    Decision.APPROVE, vote, vote_id="not-typed-out"
                )
        env = {"ROLLBACK_GATEWAY": reached.url, "ROLLBACK_ENV": "test"}
        words = ("approve", rollback.id, "--plan", status.digest, "--confirm", made.service)
        code, document, talk = await typed(env, *words, "--incident", "INC-7")
        assert (code, document["applied"]) == (0, True), (document, talk)
        await rollback.result()


async def test_incident_and_service_are_in_what_the_gateway_is_sent() -> None:
    sent: list[dict[str, Any]] = []

    class Taken(Api):
        async def ask(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
            sent.append(body)
            return {"applied": False, "because": "sent; nobody has answered", "pending": True}

    rollback = GatewayRollback(Taken(Gateway("http://127.0.0.1:1")), "rollback/test/k")
    vote = Vote(plan="ab" * 32, by="local:x", reason="too many errors since 14:02")
    await rollback.vote(Decision.APPROVE, vote, vote_id="v", confirm="checkout", incident="INC-7")
    assert (sent[0]["confirm"], sent[0]["incident"]) == ("checkout", "INC-7")
    await rollback.abort(AbortCommand(by="local:x"))  # sent and not judged: no refusal


async def test_a_person_plans_starts_and_aborts_by_the_gateway(reached: Reached) -> None:
    async with GatewayClient(Gateway(reached.url)) as client:
        planned = await client.plan(reached.rig.request())
        assert planned.plan is not None
        assert planned.plan.services[0].to_version == "v1"
        with pytest.raises(Blocked, match="no service 'nobody'"):
            await client.plan(reached.rig.request(services=("nobody",)))


async def test_the_glass_is_broken_by_the_gateway_and_nobody_is_asked_instead(
    reached: Reached,
) -> None:
    service = reached.rig.service
    env = {"ROLLBACK_GATEWAY": reached.url, "ROLLBACK_ENV": "test"}
    words = ("start", service, "--break-glass", "--confirm", service, "--incident", "inc-1")
    code, document, _ = await typed(env, *words, "--reason", "too short")
    assert (code, document["next_step"][:20]) == (7, "Say why in 20 charac"), document
    code, document, _ = await typed(env, *words, "--reason", "all fails and nobody answers")
    assert (code, document["outcome"]["result"]) == (0, "verified"), document
    (glass,) = reached.rig.records.glasses("test")
    assert glass.rollback == document["rollback"]


async def test_a_person_marks_a_release_and_answers_an_incident_by_the_gateway(
    reached: Reached,
) -> None:
    made, env = reached.rig, {"ROLLBACK_GATEWAY": reached.url, "ROLLBACK_ENV": "test"}
    marked = ("releases", "mark", made.service, "v2")
    code, document, talk = await typed(env, *marked, "verified", "--measure-s", "1")
    assert (code, "not measured by the gateway" in talk) == (7, True), document
    code, document, _ = await typed(env, *marked, "bad", "--because", "checkout answers 500")
    assert (code, made.service) == (0, document["service"])
    told = {one["version"]: one["because"] for one in document["releases"]}
    assert told["v2"] == "checkout answers 500"
    code, document, _ = await typed(env, "review", "list")
    assert code == 0
    assert made.service not in str(document)
    decide = ("incident", "decide", made.service, "v2", "monitor", "--reason", "leave it")
    code, document, _ = await typed(env, *decide)
    assert (code, document["error"]) == (7, "NotFound"), document


async def test_what_the_gateway_does_not_offer_is_never_asked_of_temporal() -> None:
    async with GatewayClient(Gateway("http://127.0.0.1:1")) as client:
        with pytest.raises(Blocked, match="needs Temporal"):
            await client.list()


async def test_a_person_freezes_and_lifts_by_the_gateway(reached: Reached) -> None:
    env = {"ROLLBACK_GATEWAY": reached.url, "ROLLBACK_ENV": "test"}
    service = reached.rig.service
    words = ("--until", "2126-12-24T18:00:00Z", "--reason", "inventory", "--by", "a name of mine")
    code, document, talk = await typed(env, "freeze", service, *words)
    assert (code, len(document["freezes"])) == (0, 1), talk
    assert document["freezes"][0]["by"] == "local:tester"  # as the gateway knows it
    async with GatewayClient(Gateway(reached.url)) as client:
        (listed,) = (await asks(client, ListFreezes(env="test", service=service))).freezes
        assert listed.reason == "inventory"
        assert (await asks(client, MayDeploy(env="test", service=service))).may is False
        lifted = await asks(client, LiftFreezes(env="test", service=service, by="whoever"))
        assert (lifted.freezes, [one.lifted_by for one in lifted.lifted]) == ((), ["local:tester"])
        late = listed.model_copy(update={"until": datetime(2020, 1, 1, tzinfo=UTC)})
        with pytest.raises(Blocked, match="which is over"):
            await asks(client, said(late, "f-2"))


async def test_a_job_may_not_freeze_and_not_lift(reached: Reached) -> None:
    env, service = "test", reached.rig.service
    until = datetime(2126, 12, 24, tzinfo=UTC)
    freeze = Freeze(env=env, service=service, begins=until, until=until, reason="r", by="ci")
    token = reached.provider.token()
    async with GatewayClient(Gateway(reached.url, id_token=token)) as client:
        assert (await asks(client, MayDeploy(env=env, service=service))).may is True
        lift, look = LiftFreezes(env=env, service=service, by="ci"), ListFreezes(env=env)
        for ask in (said(freeze, "f-1"), lift, look):
            with pytest.raises(NotPermitted, match="this is not for CI"):
                await asks(client, ask)


def said(freeze: Freeze, id: str) -> SayFreeze:
    words = freeze.model_dump(include={"env", "service", "until", "reason", "by"})
    return SayFreeze(id=id, **words)


async def asks(client: GatewayClient, ask: DeployAsk) -> DeployAnswer:
    return await client.deploys(DeployRequest(ask=ask))


async def test_a_refusal_keeps_its_three_parts_and_its_kind(reached: Reached) -> None:
    async with GatewayClient(Gateway(reached.url, id_token=NO_TOKEN)) as client:
        with pytest.raises(NotPermitted, match="the CI token does not count") as refused:
            await client.plan(reached.rig.request())
        assert refused.value.next_step
    async with GatewayClient(Gateway(reached.url, token=NOT_SET)) as client:
        with pytest.raises(UsageError, match="refers to no credential"):
            await client.plan(reached.rig.request())


async def test_a_credential_that_has_ended_is_renewed(
    reached: Reached, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter(["ended", "", ""])
    monkeypatch.setattr("starters.by_gateway.signing_in.credential", lambda _: next(given))
    async with GatewayClient(Gateway(reached.url)) as client:
        assert (await client.plan(reached.rig.request())).plan is not None


@pytest.mark.parametrize(
    "url", ["http://gateway.example", "ftp://127.0.0.1", "gateway", "https://"]
)
def test_a_credential_is_not_sent_where_anybody_could_read_it(url: str) -> None:
    with pytest.raises(UsageError, match="is not an address of https"):
        web.send("GET", f"{url}/api/v1/services")


def test_a_gateway_that_does_not_answer_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="does not answer"):
        web.send("GET", "http://127.0.0.1:1/api/v1/services")
