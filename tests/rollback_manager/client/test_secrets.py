"""A reference says where a secret is; nothing that is told afterwards says what it is."""

from pathlib import Path

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import PayloadConverter

from rollback_manager.client.converter import VEILED, EncodedFailures, VeiledFailures
from rollback_manager.client.secrets import NoSecret, Secrets
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.veil import HIDDEN, VEIL, Veil

CANARY = "s3cr3t-of-24-characters!"


class Vault:
    """Stand-in: a store with one secret."""

    def read(self, place: str) -> str:
        if place == "down":
            raise Unreachable("the vault does not answer")
        if place != "here":
            raise NoSecret("does not exist")
        return CANARY


def test_a_secret_is_where_its_reference_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(f"{CANARY}\n")
    monkeypatch.setenv("TOKEN", CANARY)
    secrets = Secrets({"vault": Vault()})
    references = (f"file:{tmp_path}/token", "env:TOKEN", "vault:here")
    assert {secrets.resolve(one) for one in references} == {CANARY}


def test_a_secret_that_was_replaced_is_used_at_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the first one")
    secrets = Secrets()
    assert secrets.resolve(f"file:{file}") == "the first one"
    file.write_text("the second one")
    assert secrets.resolve(f"file:{file}") == "the second one"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (CANARY, "is no reference"),
        ("", "is no reference"),
        ("env:", "is no reference"),
        ("env:NOT_SET_ANYWHERE", "is empty or not set"),
        ("env:NOT A NAME", "names no variable"),
        ("file:/nowhere/at/all", "cannot be read"),
        ("file:/dev/null", "is empty"),
        ("vault:there", "does not exist"),
        ("aws:secretsmanager:x", "is no reference"),
    ],
)
def test_what_leads_to_no_secret_is_refused_with_what_to_do(reference: str, said: str) -> None:
    with pytest.raises(PermanentError, match=said) as refused:
        Secrets({"vault": Vault()}).resolve(reference, "bot's token")
    assert "the bot's token" in refused.value.what
    assert refused.value.next_step
    assert CANARY not in str(refused.value), "a secret in place of its reference is not repeated"


def test_a_store_that_is_down_is_an_outage() -> None:
    with pytest.raises(Unreachable):
        Secrets({"vault": Vault()}).resolve("vault:down")


def test_what_was_read_is_hidden_from_texts_and_long_ones_from_data() -> None:
    veil = Veil()
    veil.remember("production")
    veil.remember(f'quo"ted {CANARY}')
    assert veil.over(f'no production, quo"ted {CANARY}') == f"no {HIDDEN}, {HIDDEN}"
    data = b'{"env": "production", "because": "quo\\"ted ' + CANARY.encode() + b'"}'
    assert veil.over_data(data) == b'{"env": "production", "because": "***"}'


def test_the_password_of_a_url_is_hidden_also_without_its_url() -> None:
    veil = Veil()
    veil.remember("postgresql://app:pass%40word-1@db/records")
    assert (
        veil.over("FATAL: pass@word-1 is wrong, as pass%40word-1") == "FATAL: *** is wrong, as ***"
    )


def test_a_key_in_pem_is_hidden_line_by_line() -> None:
    veil = Veil()
    veil.remember("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIE\n-----END PRIVATE KEY-----")
    assert veil.over("near MC4CAQAwBQYDK2VwBCIE in -----BEGIN") == f"near {HIDDEN} in -----BEGIN"


def test_payloads_and_failures_with_their_causes_are_veiled() -> None:
    VEIL.remember(CANARY)
    (payload,) = VEILED.payload_converter.to_payloads([{"because": f"401 for {CANARY}"}])
    assert payload.data == b'{"because":"401 for ***"}'
    plain, encoded = Failure(), Failure()
    error = ValueError(f"outer {CANARY}")
    error.__cause__ = KeyError(f"inner {CANARY}")
    VeiledFailures().to_failure(error, PayloadConverter.default, plain)
    EncodedFailures().to_failure(error, PayloadConverter.default, encoded)
    assert (plain.message, plain.cause.message) == ("outer ***", "'inner ***'")
    assert encoded.message == encoded.cause.message == "Encoded failure"
    for failure in (plain, encoded):
        assert CANARY.encode() not in failure.SerializeToString()
