"""Where the gateway may listen, and what has to be set so that people sign in."""

from pathlib import Path

import pytest

from activities.secrets import Secrets
from rollback_manager.errors import Blocked, PermanentError
from workers.gateway import binding
from workers.settings import Settings, SignInSettings
from workers.sign_in import issuer_of, people, seal_of

NOBODY = SignInSettings(issuer="")
PEOPLE = SignInSettings(issuer="https://id.example", client_id="rollback-manager")


def test_nobody_else_reaches_it_while_nobody_signs_in() -> None:
    assert binding(Settings(), NOBODY).origin == "http://127.0.0.1:8088"
    with pytest.raises(Blocked) as refused:
        binding(Settings(gateway_host="0.0.0.0"), NOBODY)  # noqa: S104 -- it is refused
    assert "ROLLBACK_GATEWAY_SIGN_IN_ISSUER" in refused.value.next_step


@pytest.mark.parametrize("url", ["", "http://rollback.example"])
def test_cookies_never_travel_in_the_clear(url: str) -> None:
    with pytest.raises(Blocked, match="not https"):
        binding(Settings(gateway_host="10.0.0.1", pages_url=url), PEOPLE)


def test_people_who_sign_in_come_by_its_public_name() -> None:
    at = binding(Settings(gateway_host="10.0.0.1", pages_url="https://rollback.example"), PEOPLE)
    assert at.origin == "https://rollback.example"
    assert at.hosts[0] == "rollback.example"


def test_a_secret_is_read_where_its_reference_leads(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    of = issuer_of(PEOPLE.model_copy(update={"client_secret": f"file:{file}"}), Secrets())
    assert of.client_secret.get_secret_value() == "from the file"
    assert "from the file" not in repr(of)
    with pytest.raises(PermanentError, match="no reference"):
        issuer_of(PEOPLE.model_copy(update={"client_secret": "the secret itself"}), Secrets())
    with pytest.raises(Blocked, match="how it knows us"):
        issuer_of(SignInSettings(issuer="https://id.example"), Secrets())


def test_gateways_with_one_key_take_each_others_cookies(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("x" * 32)
    named = SignInSettings(key=f"file:{file}")
    assert seal_of(named, Secrets()).key == seal_of(named, Secrets()).key
    assert seal_of(NOBODY, Secrets()).key != seal_of(NOBODY, Secrets()).key
    file.write_text("short")
    with pytest.raises(Blocked, match="less than 32"):
        seal_of(named, Secrets())


async def test_without_an_issuer_there_is_no_way_to_sign_in() -> None:
    async with people(NOBODY, Secrets(), "http://127.0.0.1:8088") as known:
        assert known.sign_in is None
