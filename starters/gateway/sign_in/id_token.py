"""The identity provider's word on who came: is it signed, for us, for this sign-in, and new?

Pure. Everything is checked here and nothing is taken over unchecked.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from pydantic import SecretStr

from rollback_manager.authority.people import OURS, Kind, Person
from rollback_manager.values import Value

SKEW = timedelta(seconds=60)
"""Of two clocks (security T38)."""
CLOCKS = timedelta(minutes=15)
"""By how much a clock may be wrong that nobody keeps; more than that is no matter of clocks."""
OLDEST = timedelta(minutes=10)
"""A word older than this was not said for the sign-in at hand."""
LONGEST = 32_000
"""Characters of a token that are looked at; one with 200 groups has about 12,000."""
MOST_GROUPS = 500
ALGORITHMS = ("RS256", "ES256", "ES384", "PS256", "EdDSA")
"""What may be chosen; never HS256, whose key is the client's secret, and never `none`."""
POSSESSION = frozenset({"otp", "hwk", "swk", "sms", "tel", "sc", "pop"})
KNOWLEDGE = frozenset({"pwd", "pin", "kba"})
INHERENCE = frozenset({"face", "fpt", "iris", "retina", "vbm", "user"})
"""Factors by kind (RFC 8176); two kinds are two factors, two of a kind are one."""


class Issuer(Value):
    """An identity provider, and how we are known to it. No secret but by reference, resolved."""

    issuer: str
    client_id: str
    client_secret: SecretStr = SecretStr("")
    """Empty: a public client, which PKCE alone protects."""
    algorithm: str = "RS256"
    """The one that its words are signed with; another one is refused, whatever the token says."""
    scopes: str = "openid profile email"
    subject_claim: str = "email"
    """Which claim is the subject of our directory; of `email` the provider must have proven it."""
    groups_claim: str = "groups"
    acr: str = ""
    """What to ask for where a second factor is needed; empty: `max_age=0` alone."""


class Sent(Value):
    """What was asked for, and must come back. fresh_since: a new proof was asked for then."""

    nonce: str
    fresh_since: datetime | None = None


class NotSignedIn(Exception):
    """The word does not count; why, in words for the person and without any of its content."""


def kid_of(token: str) -> str:
    """Which key it says that it was signed with."""
    if len(token) > LONGEST:
        raise NotSignedIn("the token is too long")
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError:
        raise NotSignedIn("the token is none") from None
    if not isinstance(kid, str) or not 0 < len(kid) <= 256:
        raise NotSignedIn("the token does not say which key signed it")
    return kid


def person(token: str, key: jwt.PyJWK | None, of: Issuer, sent: Sent, now: datetime) -> Person:
    """Who came, and how they proved it. NotSignedIn where anything is not as it must be."""
    if key is None:
        raise NotSignedIn("it is signed with a key that the provider does not have")
    claims = _signed(token, key, of)
    _for_us(claims, of)
    _new(claims, sent, now)
    if not _equal(claims.get("nonce"), sent.nonce):
        raise NotSignedIn("it was given for another sign-in")
    factors = _factors(claims)
    fresh = sent.fresh_since is not None
    return Person(
        subject=_subject(claims, of),
        kind=Kind.HUMAN,
        groups=_groups(claims, of),
        method="web+mfa" if fresh and is_multi_factor(factors, claims.get("acr"), of) else "web",
        factors=factors,
    )


def is_multi_factor(factors: tuple[str, ...], acr: object, of: Issuer) -> bool:
    """Whether two different kinds of factor were shown, or the provider says so."""
    kinds = sum(any(f in kind for f in factors) for kind in (POSSESSION, KNOWLEDGE, INHERENCE))
    return "mfa" in factors or kinds > 1 or bool(of.acr and acr == of.acr)


def _signed(token: str, key: jwt.PyJWK, of: Issuer) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[of.algorithm],
            options={
                "require": ["iss", "sub", "aud", "exp", "iat", "nonce"],
                "verify_exp": False,  # by our clock, below
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,  # below: more of it is checked than PyJWT does
            },
        )
    except jwt.InvalidTokenError:
        raise NotSignedIn("its signature or its form is wrong") from None
    return claims


def _for_us(claims: Mapping[str, Any], of: Issuer) -> None:
    if claims["iss"] != of.issuer:
        raise NotSignedIn("another provider gave it")
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if of.client_id not in audience:
        raise NotSignedIn("it was given for another program")
    if claims.get("azp", of.client_id) != of.client_id or (
        len(audience) > 1 and "azp" not in claims
    ):
        raise NotSignedIn("it was given to another program")


def _new(claims: Mapping[str, Any], sent: Sent, now: datetime) -> None:
    moment = now.timestamp()
    times = {name: claims.get(name) for name in ("exp", "iat", "nbf", "auth_time")}
    if any(isinstance(t, bool) or not isinstance(t, int | float | None) for t in times.values()):
        raise NotSignedIn("one of its times is no time")
    skew = SKEW.total_seconds()
    if not moment < claims["exp"] + skew:
        raise NotSignedIn(f"it has expired{_off(claims['exp'], moment)}")
    if claims["iat"] > moment + skew or (times["nbf"] or 0) > moment + skew:
        begins = max(claims["iat"], times["nbf"] or 0)
        raise NotSignedIn(f"it is not valid yet{_off(begins, moment)}")
    if claims["iat"] < moment - OLDEST.total_seconds() - skew:
        raise NotSignedIn("it is too old")
    if sent.fresh_since is not None:
        proven_at = times["auth_time"]
        if proven_at is None or proven_at < sent.fresh_since.timestamp() - skew:
            raise NotSignedIn("the provider did not ask for a new proof")


def _off(time: float, moment: float) -> str:
    """A hint where it may be the clocks; only what the provider signed comes so far."""
    most = CLOCKS.total_seconds()
    if not moment - most <= time <= moment + most:  # compared first: a time may be any number
        return ""
    which = "ahead of here" if time > moment else "ago"
    allowed = f"{SKEW.total_seconds():.0f} s are allowed; compare the clocks"
    return f", {abs(time - moment):.0f} s {which}: {allowed}"


def _equal(came: object, wanted: str) -> bool:
    return isinstance(came, str) and hmac.compare_digest(came.encode(), wanted.encode())


def _subject(claims: Mapping[str, Any], of: Issuer) -> str:
    found = claims.get(of.subject_claim)
    if not isinstance(found, str) or not 0 < len(found) <= 200 or not found.isprintable():
        raise NotSignedIn(f"it does not say who came: no {of.subject_claim}")
    if found.casefold().startswith(OURS):
        raise NotSignedIn("its subject is one of our own kind")
    if of.subject_claim == "email":
        if claims.get("email_verified") is not True:
            raise NotSignedIn("the provider has not proven the address")
        return found.casefold()
    return found


def _groups(claims: Mapping[str, Any], of: Issuer) -> tuple[str, ...]:
    found = claims.get(of.groups_claim, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise NotSignedIn("its groups are no list of names")
    if len(found) > MOST_GROUPS:
        raise NotSignedIn(f"it names more than {MOST_GROUPS} groups")
    return tuple(dict.fromkeys(found))


def _factors(claims: Mapping[str, Any]) -> tuple[str, ...]:
    found = claims.get("amr", [])
    if not isinstance(found, list):
        return ()
    return tuple(one for one in found[:20] if isinstance(one, str) and len(one) <= 40)
