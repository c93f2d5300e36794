"""A start counts as the gateway signed it: nothing of it changed, for this rollback, in time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rollback_manager.authority import jws, start_token, token
from rollback_manager.authority.jws import BadToken, audience
from rollback_manager.authority.keys import Aim
from rollback_manager.authority.origin import Origin
from rollback_manager.authority.start_token import StartClaims, verified
from rollback_manager.authority.token import Dec, Expected
from rollback_manager.contract import RollbackRequest

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = (jws.verify_key(PRIVATE, "now"),)
ORIGIN = Origin(rollback="rollback/prod/inc-1", run="run-1", at=NOW)
REQUEST = RollbackRequest(
    env="prod", services=("shop",), key="inc-1", requested_by="ana@example.com", reason="11 %"
)
CHANGED: dict[str, Any] = {
    "env": "stage",
    "services": ("shop", "till"),
    "key": "inc-2",
    "requested_by": "bo@example.com",
    "reason": "12 %",
    "to_version": "v0",
    "trigger": "ci",
    "incident": "incident/prod/shop/v2",
    "expect_plan": "a" * 64,
    "evidence": ({"at": NOW, "requests": {}, "errors": {}},),
    "adopts": "rollback/prod/inc-0",
    "first_run": "run-0",
    "needs_approval": True,
    "trace": {"new": "v2"},
    "votes": 1,
    "confirmed": "",
    "behind": ("bo@example.com",),
    "word": "w",
    "break_glass": True,
}


def sign(request: RollbackRequest = REQUEST, **changes: Any) -> RollbackRequest:
    at = int(NOW.timestamp())
    known: dict[str, Any] = {
        "aud": audience("prod"),
        "sub": "ana@example.com",
        "act": "web",
        "amr": ("pwd", "mfa"),
        "groups": ("payments",),
        "groups_hash": jws.hash_of(("payments",)),
        "rid": ORIGIN.rollback,
        "request": start_token.hash_of(request),
        "iat": at,
        "exp": at + 120,
        "jti": "j-1",
    }
    made = start_token.signed(StartClaims(**(known | changes)), PRIVATE, "now")
    return request.model_copy(update={"token": made})


def test_it_is_read_as_it_was_signed_also_after_its_way_through_temporal() -> None:
    sent = RollbackRequest.model_validate_json(sign().model_dump_json())
    assert verified(sent, ORIGIN, KEYS).sub == "ana@example.com"


def test_every_field_of_a_request_is_known_here() -> None:
    assert set(CHANGED) | start_token.UNSIGNED == set(RollbackRequest.model_fields)


@pytest.mark.parametrize("field", CHANGED)
def test_no_field_of_it_can_be_changed(field: str) -> None:
    told = sign().model_dump() | {field: CHANGED[field]}
    with pytest.raises(BadToken, match=r"another environment|somebody else|something of it was"):
        verified(RollbackRequest.model_validate(told), ORIGIN, KEYS)


def test_a_field_that_a_later_build_adds_breaks_no_start_of_an_older_gateway() -> None:
    class Later(RollbackRequest):
        more: str = ""

    later = Later.model_validate(sign().model_dump())
    assert verified(later, ORIGIN, KEYS).jti == "j-1"
    with pytest.raises(BadToken, match="something of it was changed"):
        verified(later.model_copy(update={"more": "said"}), ORIGIN, KEYS)


@pytest.mark.parametrize(
    ("late", "because"),
    [(-61, "in the future"), (-60, ""), (0, ""), (119, ""), (120, "had ended 0 s before")],
)
def test_its_time_is_judged_by_when_it_was_started(late: int, because: str) -> None:
    started = ORIGIN.model_copy(update={"at": NOW + timedelta(seconds=late)})
    if not because:
        assert verified(sign(), started, KEYS).jti
        return
    with pytest.raises(BadToken, match=because):
        verified(sign(), started, KEYS)


def test_a_decision_is_never_taken_for_a_start_nor_a_start_for_a_decision() -> None:
    start = sign()
    aims = (Aim(rid=ORIGIN.rollback, run="run-1"),)
    wanted = Expected(aud=audience("prod"), aims=aims, decs=tuple(Dec), plan=None, nonce=None)
    with pytest.raises(BadToken, match="is no decision"):
        token.verified(start.token, KEYS, wanted, NOW)
    claims = StartClaims.model_validate(
        {**_claims(start.token), "aud": audience("prod")}, strict=False
    )
    as_decision = jws.encoded(claims, PRIVATE, "now", token.NOUN)
    with pytest.raises(BadToken, match="is no start"):
        verified(start.model_copy(update={"token": as_decision}), ORIGIN, KEYS)


def _claims(text: str) -> dict[str, Any]:
    import jwt

    read: dict[str, Any] = jwt.decode(text, options={"verify_signature": False})
    return read


def test_its_signature_is_not_shown_with_the_request() -> None:
    assert sign().token not in repr(sign())
    assert sign().unsigned == REQUEST
