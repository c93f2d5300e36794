"""The token for Temporal: from where its reference leads, renewed, and told to nobody else."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio.client import Client

from rollback_manager.client import connect, temporal_token
from rollback_manager.client.secrets import Secrets
from rollback_manager.client.temporal_token import TEMPORAL_TOKEN, TokenByReference
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.veil import HIDDEN, MOST, VEIL
from workers.temporal_server import TemporalServer

FIRST, SECOND, THIRD = (
    f"eyJhbGciOiJFUzI1NiJ9.{word}.signature" for word in ("one", "two", "three")
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The token's file, named by the setting; Temporal at a port where nobody is."""
    for name in ("TEMPORAL_API_KEY", "TEMPORAL_TLS"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "token"
    path.write_text(f"{FIRST}\n")
    monkeypatch.setenv(TEMPORAL_TOKEN, f"file:{path}")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    return path


@pytest.fixture
async def client(file: Path, temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Of the plain dev server, which asks for no token, and speaks no TLS."""
    monkeypatch.setattr(temporal_token, "FRESH_S", 0.05)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.address)
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    return await connect()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_token_that_was_replaced_is_used_without_a_new_connection(
    client: Client, file: Path
) -> None:
    assert client.api_key == FIRST
    file.write_text(SECOND)
    await until(lambda: client.api_key == SECOND)
    assert await client.service_client.check_health()


async def test_a_token_that_cannot_be_read_leaves_the_one_before(
    client: Client, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, temporal_token.__name__):
        file.unlink()
        await until(lambda: bool(caplog.records))
        await asyncio.sleep(0.3)
        assert client.api_key == FIRST
        assert [one.levelname for one in caplog.records] == ["ERROR"], "said once, not at each look"
        file.write_text(THIRD)
        await until(lambda: client.api_key == THIRD)
    assert FIRST not in caplog.text
    assert THIRD not in caplog.text


async def test_without_tls_no_token_leaves_this_machine(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example.com:7233")
    with pytest.raises(PermanentError, match="in the clear") as refused:
        await connect()
    assert FIRST not in str(refused.value)
    monkeypatch.delenv(TEMPORAL_TOKEN)
    monkeypatch.setenv("TEMPORAL_API_KEY", FIRST)
    with pytest.raises(PermanentError, match="in the clear"):
        await connect()


async def test_a_token_turns_tls_on(
    file: Path, temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.address)
    with pytest.raises(Unreachable, match="does not answer"):  # the dev server speaks no TLS
        await connect()


async def test_two_tokens_are_one_too_many(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEMPORAL_API_KEY", "TEMPORAL_GRPC_META_AUTHORIZATION"):
        with monkeypatch.context() as patched:
            patched.setenv(name, SECOND)
            with pytest.raises(PermanentError, match="another token") as refused:
                await connect()
        assert SECOND not in str(refused.value)


@pytest.mark.parametrize("text", ["", "Bearer abc.def.ghi", "abc\ndef", "schlüssel"])
async def test_what_is_no_token_is_not_sent(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(PermanentError, match="the token for Temporal at file:") as refused:
        await connect()
    assert not text or text not in str(refused.value)


def test_tokens_are_hidden_and_push_no_other_secret_out_of_the_veil(tmp_path: Path) -> None:
    file = tmp_path / "token"
    lasting = VEIL.remember("a-password-that-lasts-for-months")
    file.write_text("token-number-0")
    token = TokenByReference(Secrets(), f"file:{file}")
    for number in range(1, MOST + 10):
        file.write_text(f"token-number-{number}")
        assert token.is_new()
    told = VEIL.over(f"{token.current} token-number-{MOST + 8} {lasting}")
    assert told == f"{HIDDEN} {HIDDEN} {HIDDEN}"
