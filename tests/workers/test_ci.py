"""The door of CI from its settings; keys over the wire, by the real HTTP client."""

from datetime import UTC, datetime

import httpx
import pytest

from activities.secrets import Secrets
from proof.attack.identity_provider import AUDIENCE, GITHUB, Provider
from rollback_manager.authority.ci_rules import Source
from rollback_manager.errors import PermanentError, Unreachable
from tests.starters.gateway.test_ci import KEY, Seen
from workers import ci
from workers.settings import CiSettings

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
PROVIDER = Provider(Source.GITHUB, NOW, key=KEY)


def client(answer: httpx.Response) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(lambda _: answer))


def test_without_an_audience_there_is_no_door() -> None:
    assert ci.door(CiSettings(), Seen(), Secrets(), client(httpx.Response(200))) is None


async def test_the_keys_of_an_issuer_come_from_its_own_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROLLBACK_GATEWAY_CI_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("ROLLBACK_GATEWAY_CI_GITLAB", "https://gitlab.example.com")
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=PROVIDER.jwks())

    door = ci.door(
        CiSettings(), Seen(), Secrets(), httpx.Client(transport=httpx.MockTransport(answer))
    )
    assert door is not None
    github, gitlab = door.issuers
    assert (github.url, github.audience) == (GITHUB, AUDIENCE)
    found = await door.keys[github.url].key("key-1")
    assert found is not None
    assert found.key.key_size == 2048
    assert asked == [f"{GITHUB}/.well-known/jwks"]
    assert gitlab.jwks == "https://gitlab.example.com/oauth/discovery/keys"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "https://evil.example"}),
        httpx.Response(200, content=b"x" * 1001),
    ],
)
def test_whatever_is_no_answer_of_an_issuer_is_none(answer: httpx.Response) -> None:
    with pytest.raises(Unreachable):
        ci.fetched(client(answer), f"{GITHUB}/.well-known/jwks", 1000)


@pytest.mark.parametrize(
    "url", ["http://gitlab.example.com", "gitlab", "https://", "https://u:p@gitlab.example.com"]
)
def test_an_issuer_that_anybody_could_play_stops_the_start(url: str) -> None:
    with pytest.raises(PermanentError, match="ROLLBACK_GATEWAY_CI_GITLAB"):
        ci.issuers(CiSettings(audience=AUDIENCE, gitlab=url))


def test_a_key_that_cannot_be_read_stops_the_start() -> None:
    with pytest.raises(PermanentError, match="NOT_SET"):
        ci.door(
            CiSettings(audience=AUDIENCE, key="env:NOT_SET"),
            Seen(),
            Secrets(),
            client(httpx.Response(200)),
        )


def test_an_issuer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ci, "WITHIN_S", -1.0)
    with pytest.raises(Unreachable, match="has not answered within"):
        ci.fetched(client(httpx.Response(200, content=b"x")), f"{GITHUB}/.well-known/jwks", 1000)
