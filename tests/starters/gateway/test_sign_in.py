"""People sign in at a stand-in provider: the whole flow, and every word of it that is wrong."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Request
from pydantic import SecretStr

from rollback_manager.authority.people import Accounts, Person
from starters.gateway import identity
from starters.gateway.app import make_app
from starters.gateway.doors import Binding, Doors
from starters.gateway.identity import Who
from starters.gateway.problems import Refused
from starters.gateway.seal import Seal
from starters.gateway.sign_in import id_token
from starters.gateway.sign_in.id_token import Issuer, NotSignedIn, Sent
from tests import rig
from tests.starters.gateway.identity_provider import (
    CLIENT,
    SECRET,
    StandInProvider,
    new_key,
    provider,
)
from workers.sign_in import signing_in

ORIGIN = "http://127.0.0.1:8088"
FROM_HERE = {"Origin": ORIGIN}
PEOPLE = {"ana@example.com": Accounts(groups=("payments", "leads"))}


class Clock:
    """The gateway's; moved by tests."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Door:
    """A gateway with sign-in, its provider, and one browser's worth of cookies."""

    provider: StandInProvider
    clock: Clock
    http: httpx.AsyncClient
    app: FastAPI

    async def come_in(self, then: str = "/me", *, anew: bool = False) -> httpx.Response:
        """Through the provider and back; the answer that ends it."""
        begun = await self.http.get("/sign-in", params={"then": then, "anew": anew})
        assert begun.status_code == 303, begun.text
        async with httpx.AsyncClient() as browser:
            sent_back = await browser.get(begun.headers["location"])
        return await self.http.get(sent_back.headers["location"])

    async def me(self) -> Person | int:
        """Who the gateway takes this browser for, or the status of its refusal."""
        answer = await self.http.get("/me")
        return Person.model_validate(answer.json()) if answer.is_success else answer.status_code


@pytest.fixture(scope="module")
async def standing() -> AsyncIterator[StandInProvider]:
    async with provider() as one:
        yield one


@asynccontextmanager
async def opened(standing: StandInProvider, origin: str = ORIGIN) -> AsyncIterator[Door]:
    fresh = StandInProvider(standing.issuer, key=standing.key)
    standing.__dict__.update({k: v for k, v in fresh.__dict__.items() if k != "key"})
    clock, seal = Clock(), Seal()
    issuer = Issuer(issuer=standing.issuer, client_id=CLIENT, client_secret=SecretStr(SECRET))
    host = origin.partition("//")[2]
    async with signing_in(issuer, seal, origin, clock) as sign_in:
        doors = Doors(
            rollbacks=None,  # type: ignore[arg-type] # nothing here asks Temporal
            catalogue=rig.catalogue("shop", {}).model_copy(update={"people": PEOPLE}),
            binding=Binding("127.0.0.1", 8088, origin, (host,)),
            now=clock,
            seal=seal,
            sign_in=sign_in,
        )
        app = make_app(doors)

        @app.get("/me")
        async def me(person: Who) -> Person:
            return person

        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=origin) as http:
            yield Door(standing, clock, http, app)


@pytest.fixture
async def door(standing: StandInProvider) -> AsyncIterator[Door]:
    async with opened(standing) as one:
        yield one


async def test_a_person_comes_in_with_their_groups_and_factors(door: Door) -> None:
    assert await door.me() == 401
    back = await door.come_in(then="/services")
    assert (back.status_code, back.headers["location"]) == (303, "/services")
    me = await door.me()
    assert me == Person(
        subject="ana@example.com", groups=("payments", "leads"), method="web", factors=("pwd",)
    ), "groups of the provider, and those that the catalogue gives besides"


async def test_nobody_comes_in_under_the_name_of_a_group(door: Door) -> None:
    door.provider.subject = "leads"  # a provider may call a person so
    await door.come_in()
    assert await door.me() == 403
    page = await door.http.get("/services")
    assert page.status_code == 403
    assert "the catalogue has a group of the name that you sign in with: leads" in page.text
    door.provider.subject = "visitor"  # names nobody's group: they may look
    await door.come_in()
    assert isinstance(await door.me(), Person)


async def test_a_group_that_is_called_as_a_person_makes_nobody_that_person(door: Door) -> None:
    door.provider.subject = "bo@example.com"
    door.provider.groups = ("ana@example.com", "ci:github/1", "cy@example.com", "visitors")
    await door.come_in()
    assert isinstance(me := await door.me(), Person)
    assert (me.subject, me.groups) == ("bo@example.com", ("visitors",))


async def test_a_page_leads_to_the_provider_and_back_to_itself(door: Door) -> None:
    sent = await door.http.get("/services/test/shop")
    assert sent.headers["location"] == "/sign-in?then=%2Fservices%2Ftest%2Fshop"
    elsewhere = await door.come_in(then="//evil.example/x")
    assert elsewhere.headers["location"] == "/"


async def test_who_has_no_credential_is_told_first_which_page_to_open(door: Door) -> None:
    for path, page in (
        ("/api/v1/rollback/prod/inc-4711", f"{ORIGIN}/rollback/prod/inc-4711"),
        ("/api/v1/rollback/prod/inc-4711/decisions", f"{ORIGIN}/rollback/prod/inc-4711"),
        ("/api/v1/rollback/prod/<script>", f"{ORIGIN}/"),
        ("/api/v1/plans", f"{ORIGIN}/"),
    ):
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        with pytest.raises(Refused) as refused:
            await identity.who(Request(scope), door.app.state.doors)
        assert refused.value.next_step.startswith(f"Open {page} in a browser"), path
        assert "docs/ci.md" in refused.value.next_step


async def test_cookies_are_for_this_host_alone_and_no_script(standing: StandInProvider) -> None:
    async with opened(standing, "https://rollback.example") as door:
        back = await door.come_in()
        kept, dropped = back.headers.get_list("set-cookie")
        assert kept.startswith("__Host-rollback-session=")
        for words in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert words in kept
        assert "Domain" not in kept
        assert "Max-Age=0" in dropped


async def test_a_sign_in_ends_when_idle_and_after_its_day(door: Door) -> None:
    await door.come_in()
    for _ in range(17):  # always busy
        door.clock.ahead += timedelta(minutes=28)
        assert isinstance(await door.me(), Person)
        seen = await door.http.get("/signed-out")  # any page keeps it alive
        assert "rollback-session" in seen.headers["set-cookie"]
    door.clock.ahead += timedelta(minutes=28)
    assert await door.me() == 401  # eight hours are over
    door.clock.ahead = timedelta()
    await door.come_in()
    door.clock.ahead += timedelta(minutes=31)
    assert await door.me() == 401


async def test_a_copy_of_the_cookie_is_worth_nothing_after_sign_out(door: Door) -> None:
    await door.come_in()
    page = (await door.http.get("/signed-out")).text
    assert "Sign in again" in page
    token = door.app.state.doors.seal.sealed(
        "form", {"sub": "ana@example.com", "session": "another one"}, door.clock() + timedelta(1)
    )
    forged = {"token": token, "id": "web-1"}
    assert (await door.http.post("/sign-out", data=forged, headers=FROM_HERE)).status_code == 403
    stolen = door.http.cookies["rollback-session"]
    form = await _form(door)
    out = await door.http.post("/sign-out", data=form, headers=FROM_HERE)
    assert (out.status_code, await door.me()) == (303, 401)
    door.http.cookies.set("rollback-session", stolen, domain="127.0.0.1", path="/")
    assert await door.me() == 401


async def _form(door: Door) -> dict[str, str]:
    """What the button in the head of every page sends."""
    shown = await door.http.get("/incident/test/shop/NOT-A-NAME")
    hidden = re.findall(r'name="(token|id)" value="([^"]+)"', shown.text)
    return dict(hidden)


async def test_a_new_proof_with_two_factors_counts_for_a_while(door: Door) -> None:
    door.provider.amr = ("pwd", "otp")
    await door.come_in()
    assert isinstance(first := await door.me(), Person)
    assert first.method == "web"  # nobody was asked to prove it anew
    await door.come_in(anew=True)
    assert isinstance(again := await door.me(), Person)
    assert (again.method, again.factors) == ("web+mfa", ("pwd", "otp"))
    door.clock.ahead += timedelta(minutes=11)
    assert isinstance(later := await door.me(), Person)
    assert later.method == "web"


async def test_more_groups_than_a_cookie_holds_are_said_to_be_too_many(door: Door) -> None:
    door.provider.groups = tuple(f"a-group-with-a-name-{n}" for n in range(200))
    back = await door.come_in()
    assert back.status_code == 401
    assert "more groups than a cookie holds" in back.text


async def test_a_provider_that_skips_the_new_proof_is_not_believed(door: Door) -> None:
    door.provider.claims = {"auth_time": int(datetime.now(UTC).timestamp()) - 3600}
    back = await door.come_in(anew=True)
    assert back.status_code == 401
    assert "did not ask for a new proof" in back.text


async def test_one_sign_in_is_one_browsers(door: Door, standing: StandInProvider) -> None:
    begun = await door.http.get("/sign-in")
    async with httpx.AsyncClient() as browser:
        location = (await browser.get(begun.headers["location"])).headers["location"]
    async with opened_again(door) as other:  # a link that was sent to somebody else
        assert (await other.get(location)).status_code == 401
    other_state = location.replace("state=", "state=x")
    assert "belongs to another sign-in" in (await door.http.get(other_state)).text
    assert (await door.http.get(location + "x")).status_code == 401  # another issuer
    assert (await door.http.get(location)).status_code == 303
    assert (await door.http.get(location)).status_code == 401  # twice


@asynccontextmanager
async def opened_again(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(door.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield http


async def test_who_is_signed_in_stays_so_while_the_provider_is_down(door: Door) -> None:
    await door.come_in()
    door.provider.is_down = True
    door.clock.ahead += timedelta(minutes=20)
    assert isinstance(await door.me(), Person)
    async with opened_again(door) as other:
        door.clock.ahead += timedelta(seconds=6)
        refused = await other.get("/sign-in")
    assert refused.status_code == 503
    assert "Who is signed in stays signed in" in refused.text
    assert "--as-commands" in refused.text


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY = new_key()
SEEN = Issuer(issuer="https://id.example", client_id=CLIENT)
GOOD: dict[str, Any] = {
    "iss": "https://id.example",
    "aud": CLIENT,
    "sub": "4711",
    "email": "Ana@example.com",
    "email_verified": True,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 300,
    "nonce": "n-1",
}


def word(claims: dict[str, Any], key: Any = KEY, algorithm: str = "RS256", **head: str) -> str:
    told = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return jwt.encode(told, key, algorithm=algorithm, headers={"kid": "one", **head})


def public(key: Any = KEY, algorithm: str = "RS256") -> jwt.PyJWK:
    found = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.PyJWK({**found, "kid": "one", "alg": algorithm})


def read(token: str, sent: Sent | None = None, of: Issuer = SEEN) -> Person:
    id_token.kid_of(token)
    return id_token.person(token, public(), of, sent or Sent(nonce="n-1"), NOW)


def test_a_good_word_is_taken() -> None:
    assert read(word({})).subject == "ana@example.com"
    assert read(word({"aud": [CLIENT, "other"], "azp": CLIENT})).subject == "ana@example.com"


seconds = int(NOW.timestamp())
WRONG: tuple[dict[str, Any], ...] = (
    {"iss": "https://id.example/"},
    {"iss": None},
    {"aud": "other"},
    {"aud": None},
    {"aud": [CLIENT, "other"]},
    {"azp": "other"},
    {"exp": seconds - 61},
    {"exp": None},
    {"exp": "soon"},
    {"iat": seconds + 61},
    {"iat": seconds - 661},
    {"iat": None},
    {"iat": True},
    {"nbf": seconds + 61},
    {"nonce": "n-2"},
    {"nonce": None},
    {"nonce": ["n-1"]},
    {"sub": None},
    {"email": None},
    {"email": ["ana@example.com"]},
    {"email": "local:root"},
    {"email": "CI:github/1"},
    {"email": "a\u202e@example.com"},
    {"email": "x" * 201},
    {"email_verified": False},
    {"email_verified": "true"},
    {"email_verified": None},
    {"groups": "admins"},
    {"groups": [1]},
    {"groups": [f"g{n}" for n in range(501)]},
)


@pytest.mark.parametrize(
    "claims", WRONG, ids=lambda c: "-".join(f"{k}-{v}"[:30] for k, v in c.items())
)
def test_a_word_with_one_thing_wrong_is_not(claims: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        read(word(claims))


HMAC = b"x" * 32
FORGED: dict[str, Callable[[], str]] = {
    "another key": lambda: word({}, new_key()),
    "no signature": lambda: word({}, None, "none"),
    "a shared secret": lambda: word({}, HMAC, "HS256"),
    "another algorithm": lambda: word({}, KEY, "RS512"),
    "cut off": lambda: word({})[:-4],
    "not one": lambda: "a.b",
    "huge": lambda: word({"pad": "x" * 40_000}),
    "no key id": lambda: word({}, kid=""),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_word_is_not_taken(how: str) -> None:
    with pytest.raises(NotSignedIn):
        read(FORGED[how]())


def test_the_algorithm_is_ours_to_name_not_the_keys_nor_the_tokens() -> None:
    word_by_512 = word({}, KEY, "RS512")
    with pytest.raises(NotSignedIn):
        id_token.person(word_by_512, public(KEY, "RS512"), SEEN, Sent(nonce="n-1"), NOW)
    by_512 = SEEN.model_copy(update={"algorithm": "RS512"})
    assert id_token.person(word_by_512, public(KEY, "RS512"), by_512, Sent(nonce="n-1"), NOW)


def test_the_public_key_is_no_shared_secret() -> None:
    secret = public().key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = encoded(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    signed = f"{head}.{word({}).split('.')[1]}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    with pytest.raises(NotSignedIn):
        read(f"{signed}.{encoded(signature)}")


def encoded(of: bytes) -> str:
    return base64.urlsafe_b64encode(of).decode().rstrip("=")


@pytest.mark.parametrize(
    ("amr", "acr", "multi"),
    [
        (("pwd",), None, False),
        (("pwd", "pin"), None, False),  # two things one knows are one factor
        (("otp", "sms"), None, False),
        (("pwd", "otp"), None, True),
        (("face", "hwk"), None, True),
        (("mfa",), None, True),
        (("pwd",), "strong", True),
        (("pwd",), "weak", False),
        ((), None, False),
    ],
)
def test_two_factors_are_two_different_ones(
    amr: tuple[str, ...], acr: str | None, multi: bool
) -> None:
    assert id_token.is_multi_factor(amr, acr, replace_acr("strong")) is multi
    assert not id_token.is_multi_factor(("pwd",), "", SEEN)


def replace_acr(acr: str) -> Issuer:
    return SEEN.model_copy(update={"acr": acr})
