"""The OIDC token of a CI job: is it what its issuer signed, for us, now, and whose job is it? Pure.

The clock, the keys and whether a token was seen before come from outside.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

from rollback_manager.authority.ci_rules import (
    CiRule,
    GithubRule,
    GitlabRule,
    Source,
    is_of_a_stranger,
)
from rollback_manager.authority.people import Directory
from rollback_manager.errors import PermanentError
from rollback_manager.values import Value

ALGORITHM = "RS256"
"""What both issuers sign with. Nothing that a token says about itself chooses how it is read."""
SLACK_S = 60
"""By how much clocks may differ (security §5.3)."""
CLOCKS_S = 15 * 60
"""By how much a clock may be wrong that nobody keeps; more than that is no matter of clocks."""
LONGEST_TOKEN = 8 * 1024
"""Characters: GitHub's and GitLab's have about 2,000."""
LONGEST_LIFE_S = 24 * 3600
"""A token that lives longer is none of a job (GitLab's live as long as the job may take)."""
SMALLEST_KEY = 2048
"""Bits of an RSA key (RFC 7518, 3.3)."""
OF_HEADER = frozenset({"alg", "kid", "typ", "x5t"})
"""Anything else (`jwk`, `jku`, `x5u`, `crit`) would bring a key, or a meaning, of the sender's."""
ACCOUNT = re.compile("[0-9]{1,20}", re.ASCII)
NOBODY = Directory()
SIGNATURE_ALONE = Options(
    verify_signature=True,
    require=["iss", "aud", "exp", "nbf", "iat", "jti"],
    verify_exp=False,
    verify_nbf=False,
    verify_iat=False,
    verify_aud=False,
    verify_iss=False,
    verify_sub=False,
    verify_jti=False,
)
"""What PyJWT judges; the rest is compared here, strictly, and by a clock that is an argument."""


class BadCiToken(PermanentError):
    """Not a token of a CI job for us, now. It says which part is wrong, and repeats none of it."""

    def __init__(self, because: str) -> None:
        super().__init__(
            f"the CI token does not count: {because}",
            effect="Production is unchanged by this call.",
            next_step="See docs/ci.md: issuer, audience and the job's permissions",
        )
        self.because = because


class NotAllowed(PermanentError):
    """A true token, and no rule of the catalogue lets this job ask."""

    def __init__(self, because: str) -> None:
        super().__init__(
            f"this CI job may not ask: {because}",
            effect="Production is unchanged by this call.",
            next_step="Name the job in the catalogue: services.SERVICE.ci",
        )
        self.because = because


class Issuer(Value):
    """Whom we believe. url: exactly as in `iss`. audience: of this gateway alone."""

    source: Source
    url: str
    audience: str
    jwks: str
    """Where its public keys are; configured, never taken from a token."""


class Granted(Value):
    """What a job may ask for: plans, starts, status and aborts of exactly these.

    subject: `ci:github/<repository id>`: the same requester, however often the job is run again.
    places: `environment/service`. behind: who made it run, the person where the catalogue knows the
    account: they asked for what the job asks for.
    """

    subject: str
    places: tuple[str, ...]
    behind: tuple[str, ...] = ()

    def has(self, env: str, service: str) -> bool:
        """Whether the service is the job's own there."""
        return f"{env}/{service}" in self.places


Claims = Mapping[str, Any]
"""What a verified token says; every value is looked at as the type that it must have."""


def key_id(token: str) -> str:
    """The `kid` under which its key is to be found; BadCiToken for what is no signed token."""
    header = _part(_parts(token)[0], "header")
    if header.get("alg") != ALGORITHM:
        raise BadCiToken(f"it is not signed by {ALGORITHM}")
    if not OF_HEADER.issuperset(header):
        raise BadCiToken("its header says more than it may")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 200:
        raise BadCiToken("it does not name its key")
    return kid


def issuer_of(token: str, known: tuple[Issuer, ...]) -> Issuer:
    """Which of those it claims to be from; nothing of it is believed by that."""
    said = _part(_parts(token)[1], "claims").get("iss")
    for issuer in known:
        if isinstance(said, str) and said == issuer.url:
            return issuer
    raise BadCiToken("its issuer is not one of ours")


def verified(token: str, key: RSAPublicKey, issuer: Issuer, now: datetime) -> Claims:
    """What the issuer signed for us and for now."""
    key_id(token)
    if key.key_size < SMALLEST_KEY:
        raise BadCiToken("its key is too short")
    try:
        claims: Claims = jwt.decode(token, key, algorithms=[ALGORITHM], options=SIGNATURE_ALONE)
    except jwt.MissingRequiredClaimError as error:
        raise BadCiToken(f"{error.claim} is missing") from error
    except jwt.InvalidTokenError as error:
        raise BadCiToken("its signature is not the issuer's") from error
    _must_be_for_us(claims, issuer)
    _must_be_of_now(claims, now)
    jti_of(claims)
    return claims


def jti_of(claims: Claims) -> str:
    """The name of this one token: it counts once."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= 200:
        raise BadCiToken("jti is no name")
    return jti


def _must_be_for_us(claims: Claims, issuer: Issuer) -> None:
    if not _says(claims, "iss", issuer.url):
        raise BadCiToken("iss is another one")
    if not _says(claims, "aud", issuer.audience):  # a list is for others, too
        raise BadCiToken("aud is not this gateway alone")


def _must_be_of_now(claims: Claims, now: datetime) -> None:
    at = now.timestamp()
    expires, begins, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if expires <= at - SLACK_S:
        raise BadCiToken(f"it has expired{_off(expires, at)}")
    if begins > at + SLACK_S or issued > at + SLACK_S:
        raise BadCiToken(f"it is of the future{_off(max(begins, issued), at)}")
    if not issued < expires <= issued + LONGEST_LIFE_S:
        raise BadCiToken("it lives too long")


def _off(time: int, at: float) -> str:
    """A hint where it may be the clocks; only whom the issuer signed for comes so far."""
    if not at - CLOCKS_S <= time <= at + CLOCKS_S:  # compared first: a time may be any number
        return ""
    which = "ahead of here" if time > at else "ago"
    return f", {abs(time - at):.0f} s {which}: {SLACK_S} s are allowed; compare the clocks"


def _time(claims: Claims, name: str) -> int:
    """Seconds since 1970, whole ones, as both issuers write them."""
    time = claims.get(name)
    if isinstance(time, bool) or not isinstance(time, int):
        raise BadCiToken(f"{name} is no time")
    return time


def granted(
    claims: Claims,
    source: Source,
    rules: Mapping[str, tuple[CiRule, ...]],
    people: Directory = NOBODY,
) -> Granted:
    """What the job may ask for, and who is behind it. rules: service → its rules.

    Raises NotAllowed where that is nothing.
    """
    event = claims.get("event_name" if source is Source.GITHUB else "pipeline_source")
    if not isinstance(event, str) or not event or is_of_a_stranger(event):
        raise NotAllowed("it runs what somebody proposed")
    places = sorted(
        f"{env}/{service}"
        for service, ruled in rules.items()
        for rule in ruled
        if all(_fits(claims, source, rule))
        for env in rule.environments
    )
    if not places:
        raise NotAllowed("no rule of the catalogue fits all of what its token says")
    id_ = claims["repository_id" if source is Source.GITHUB else "project_id"]
    return Granted(
        subject=f"ci:{source}/{id_}",
        places=tuple(dict.fromkeys(places)),
        behind=tuple(_behind(claims, source, people)),
    )


def _behind(claims: Claims, source: Source, people: Directory) -> Iterator[str]:
    """Whoever made it run, by the account's id: its name may be changed, and taken over.

    An account that is nobody's here is named as such; no directory gives such a subject out.
    """
    account = claims.get("actor_id" if source is Source.GITHUB else "user_id")
    if not isinstance(account, str) or not ACCOUNT.fullmatch(account):
        return
    whose = people.by_github if source is Source.GITHUB else people.by_gitlab
    person = whose(int(account))
    yield person.subject if person is not None else f"ci:{source}/user/{account}"


def _fits(claims: Claims, source: Source, rule: CiRule) -> Iterator[bool]:
    if source is Source.GITHUB and rule.github is not None:
        yield from _fits_github(claims, rule.github)
    elif source is Source.GITLAB and rule.gitlab is not None:
        yield from _fits_gitlab(claims, rule.gitlab)
    else:
        yield False


def _fits_github(claims: Claims, rule: GithubRule) -> Iterator[bool]:
    yield _says(claims, "repository_id", rule.repository_id)
    yield _says(claims, "repository_owner_id", rule.repository_owner_id)
    yield _says(claims, "environment", rule.environment)
    yield _says(claims, "job_workflow_ref", rule.job_workflow_ref)
    yield not rule.job_workflow_sha or _says(claims, "job_workflow_sha", rule.job_workflow_sha)
    yield _says(claims, "ref", rule.ref)
    yield _says(claims, "runner_environment", rule.runner_environment)
    yield any(_says(claims, "event_name", event) for event in rule.event_name)


def _fits_gitlab(claims: Claims, rule: GitlabRule) -> Iterator[bool]:
    yield _says(claims, "project_id", rule.project_id)
    yield _says(claims, "environment", rule.environment)
    yield _says(claims, "ref_protected", "true")
    yield not rule.ref or _says(claims, "ref", rule.ref)
    yield any(_says(claims, "pipeline_source", source) for source in rule.pipeline_source)


def _says(claims: Claims, name: str, wanted: str) -> bool:
    said = claims.get(name)
    return isinstance(said, str) and said == wanted


def _parts(token: str) -> tuple[str, str]:
    """Header and claims as they are sent, all three parts written in the one way there is."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise BadCiToken("it is no token")
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise BadCiToken("it is no signed token")
    for part in parts:
        _bytes(part)
    return parts[0], parts[1]


def _bytes(part: str) -> bytes:
    """Base64url without padding; another spelling of the same bytes is refused."""
    try:
        read = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCiToken("it is no token") from error
    if base64.urlsafe_b64encode(read).rstrip(b"=").decode() != part:
        raise BadCiToken("it is no token")
    return read


def _part(part: str, what: str) -> dict[str, Any]:
    try:
        read = json.loads(_bytes(part))
    except (ValueError, RecursionError) as error:
        raise BadCiToken(f"its {what} cannot be read") from error
    if not isinstance(read, dict):
        raise BadCiToken(f"its {what} cannot be read")
    return read
