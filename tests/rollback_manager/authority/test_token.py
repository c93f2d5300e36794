"""Only a token of a pinned key, made for just this, decides; and no text at all makes it raise
anything but BadToken."""

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.authority.keys import Aim, Seal
from rollback_manager.authority.proving import proven, question
from rollback_manager.authority.token import (
    TYPE,
    BadToken,
    Claims,
    Dec,
    Expected,
    audience,
    hash_of,
    signed,
    verified,
    verify_key,
)
from rollback_manager.contract import AbortCommand

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEYS = (verify_key(PRIVATE, "now"), verify_key(OTHER, "next"))
EXPECTED = Expected(
    aud=audience("prod"),
    aims=(Aim(rid="rollback/prod/inc-1", run="run-1"),),
    decs=(Dec.APPROVE,),
    plan="a" * 64,
    nonce="question-1",
)


def claims(**changes: Any) -> Claims:
    groups = changes.get("groups", ("payments",))
    at = int(NOW.timestamp())
    known: dict[str, Any] = {
        "aud": EXPECTED.aud,
        "sub": "ana@example.com",
        "act": "web",
        "amr": ("pwd", "mfa"),
        "groups": groups,
        "groups_hash": hash_of(groups),
        "rid": "rollback/prod/inc-1",
        "run": "run-1",
        "plan": EXPECTED.plan,
        "dec": Dec.APPROVE,
        "nonce": EXPECTED.nonce,
        "iat": at,
        "exp": at + 600,
        "jti": "j-1",
    }
    return Claims(**(known | changes))


def read(token: str, **changes: Any) -> Claims:
    return verified(token, KEYS, EXPECTED.model_copy(update=changes), NOW)


@pytest.mark.parametrize(("key", "kid"), [(PRIVATE, "now"), (OTHER, "next")])
def test_what_one_of_the_pinned_keys_signed_is_read(key: Ed25519PrivateKey, kid: str) -> None:
    assert read(signed(claims(), key, kid)) == claims()


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"aud": audience("stage")}, "another environment"),
        ({"rid": "rollback/prod/inc-2"}, "another rollback"),
        ({"run": "run-2"}, "another run"),
        ({"dec": Dec.REJECT}, "signed to reject"),
        ({"plan": "b" * 64}, "another plan"),
        ({"nonce": "question-0"}, "another question"),
        ({"iss": "somebody"}, "not from the gateway"),
        ({"sub": " "}, "names nobody"),
        ({"jti": ""}, "has no id"),
        ({"groups_hash": hash_of(("admins",))}, "groups"),
        ({"exp": int(NOW.timestamp()) + 601}, "longer than"),
        ({"exp": int(NOW.timestamp())}, "longer than"),
        ({"iat": int(NOW.timestamp()) + 61, "exp": int(NOW.timestamp()) + 99}, "in the future"),
        ({"iat": int(NOW.timestamp()) - 600, "exp": int(NOW.timestamp())}, "ended 0 s ago"),
        ({"iat": int(NOW.timestamp()) - 601, "exp": int(NOW.timestamp()) - 1}, "ended 1 s ago"),
    ],
)
def test_a_token_that_was_made_for_anything_else_is_refused(
    changes: dict[str, Any], because: str
) -> None:
    with pytest.raises(BadToken, match=because):
        read(signed(claims(**changes), PRIVATE, "now"))


def test_a_key_that_is_not_pinned_signs_nothing() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
    with pytest.raises(BadToken, match="does not know"):
        read(signed(claims(), stranger, "old"))
    with pytest.raises(BadToken, match="signature is wrong"):
        read(signed(claims(), stranger, "now"))


@pytest.mark.parametrize("left_out", list(Claims.model_fields))
def test_each_claim_must_be_there(left_out: str) -> None:
    said = claims().model_dump(mode="json")
    del said[left_out]
    token = jwt.encode(said, PRIVATE, "EdDSA", headers={"kid": "now", "typ": TYPE})
    with pytest.raises(BadToken, match=left_out if left_out != "iss" else "iss"):
        read(token)


def test_other_algorithms_and_other_kinds_of_token_are_refused() -> None:
    said = claims().model_dump(mode="json")
    public = KEYS[0].public
    unsigned = jwt.encode(said, "", "none", headers={"kid": "now", "typ": TYPE})
    symmetric = jwt.encode(said, public.encode(), "HS256", headers={"kid": "now", "typ": TYPE})
    session = jwt.encode(said, PRIVATE, "EdDSA", headers={"kid": "now", "typ": "JWT"})
    for token in (unsigned, symmetric, session):
        with pytest.raises(BadToken):
            read(token)


def test_an_abort_counts_for_a_day_and_everything_else_for_ten_minutes() -> None:
    at = int(NOW.timestamp())
    long_ago = {"iat": at - 86_000, "exp": at + 400}
    abort = signed(claims(dec=Dec.ABORT_HOLD, **long_ago), PRIVATE, "now")
    assert read(abort, decs=(Dec.ABORT_HOLD,)).dec is Dec.ABORT_HOLD
    with pytest.raises(BadToken, match="longer than"):
        read(signed(claims(**long_ago), PRIVATE, "now"))


def test_only_the_argument_tells_the_time() -> None:
    token = signed(claims(), PRIVATE, "now")
    for at in (NOW, NOW + timedelta(seconds=599)):
        assert verified(token, KEYS, EXPECTED, at).jti == "j-1"
    with pytest.raises(BadToken, match="ended"):
        verified(token, KEYS, EXPECTED, NOW + timedelta(seconds=600))


TOKEN = signed(claims(), PRIVATE, "now")


def test_no_single_changed_character_passes() -> None:
    accepted = 0
    for place in range(len(TOKEN)):
        for other in ("A", "b", ".", "=", "\x00", "é"):
            text = TOKEN[:place] + other + TOKEN[place + 1 :]
            if _same_bytes(text):
                continue
            with contextlib.suppress(BadToken):
                read(text)
                accepted += 1
    assert accepted == 0


def _same_bytes(text: str) -> bool:
    """Whether it spells the same token: the last character of base64 has bits that mean nothing."""

    def parts(token: str) -> list[bytes]:
        return [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]

    try:
        return parts(text) == parts(TOKEN)
    except ValueError:
        return False


@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_at_all_is_refused_and_raises_nothing_else(text: str) -> None:
    with pytest.raises(BadToken):
        read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(list(Claims.model_fields)), JSON)
def test_any_value_of_any_claim_is_refused_or_is_the_claim(field: str, value: Any) -> None:
    said = claims().model_dump(mode="json") | {field: value}
    try:
        body = json.dumps(said)
    except ValueError:
        return
    token = jwt.api_jws.encode(
        body.encode("utf-8", "replace"), PRIVATE, "EdDSA", headers={"kid": "now", "typ": TYPE}
    )
    with contextlib.suppress(BadToken):
        assert read(token).model_dump(mode="json")[field] == value


def test_deep_nesting_in_a_header_is_only_a_bad_token() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")
    with pytest.raises(BadToken):
        read(f"{deep}.{deep[:100]}.AA")
    with pytest.raises(BadToken, match="longer than"):
        read("a" * 9000)
    with pytest.raises(BadToken, match="not signed"):
        read("")


SEAL = Seal(keys=KEYS, aud=EXPECTED.aud, aims=EXPECTED.aims, word="theirs")


def abort(word: str = "", **changes: Any) -> tuple[AbortCommand, str]:
    made = signed(claims(dec=Dec.ABORT_HOLD, **changes), PRIVATE, "now")
    return AbortCommand(by="x", token=made, word=word), word


def who(said: AbortCommand, word: str, seal: Seal = SEAL, used: tuple[str, ...] = ()) -> str:
    known = proven(said, seal, Dec.ABORT_HOLD, NOW, used, word=word)
    return known.sub if known else "nobody need prove it"


def test_a_decision_counts_once() -> None:
    assert who(*abort()) == "ana@example.com"
    with pytest.raises(BadToken, match="used before"):
        who(*abort(), used=("j-1",))


def test_what_a_parent_passes_on_is_verified_again_but_not_timed_again() -> None:
    long_ago = {"iat": 1_000, "exp": 1_600}
    assert who(*abort("theirs", **long_ago)) == "ana@example.com"
    for word in ("", "another"):
        with pytest.raises(BadToken, match="ended"):
            who(*abort(word, **long_ago))
    with pytest.raises(BadToken, match="another rollback"):
        who(*abort("theirs", rid="rollback/prod/other"))


def test_without_a_token_a_parents_word_holds_and_does_nothing_else() -> None:
    hold = AbortCommand(by="temporal-cancel", word="theirs")
    assert who(hold, "theirs") == "nobody need prove it"
    with pytest.raises(BadToken, match="not signed"):
        proven(hold, SEAL, Dec.ABORT_RESTORE, NOW, (), word="theirs")
    with pytest.raises(BadToken, match="not signed"):
        who(AbortCommand(by="x"), "", SEAL.model_copy(update={"word": ""}))


def test_without_keys_nothing_need_be_proven() -> None:
    assert who(AbortCommand(by="x"), "", Seal()) == "nobody need prove it"


def test_each_question_has_a_nonce_of_its_own() -> None:
    asked = {question(run, what, n) for run in "ab" for what in "xy" for n in (1, 2)}
    assert len(asked) == 8
