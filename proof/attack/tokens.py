"""CI tokens with one thing wrong each, signed by the right issuer unless that is the thing.

`bad_tokens` gives at least 2,000 different ones; none of them may be worth a credential.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from proof.attack.identity_provider import Provider, new_key
from rollback_manager.authority.ci_rules import Source
from rollback_manager.authority.ci_tokens import LONGEST_LIFE_S, SLACK_S

Bad = tuple[str, str]
"""What is wrong, and the token."""

IDS = {
    Source.GITHUB: (
        "repository_id",
        "repository_owner_id",
        "environment",
        "job_workflow_ref",
        "ref",
        "event_name",
        "runner_environment",
    ),
    Source.GITLAB: ("project_id", "environment", "ref_protected", "pipeline_source"),
}
"""Claims by which a job is known."""
EVENTS = {
    Source.GITHUB: (
        "pull_request",
        "pull_request_target",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request_comment",
        "issue_comment",
        "workflow_run",
        "schedule",
        "repository_dispatch",
    ),
    Source.GITLAB: (
        "merge_request_event",
        "external_pull_request_event",
        "schedule",
        "trigger",
        "parent_pipeline",
        "pipeline",
    ),
}
"""Events that no rule of the example lets in."""
OF_NO_TYPE: tuple[Any, ...] = (None, True, False, 0, 1, -1, 1.5, [], {}, "", " ", "null", "*", ".*")
LATE = (1, 2, 10, 59, 60, 600, 3600, 86_400, 31_536_000)


def bad_tokens(provider: Provider, random: Random, at_least: int) -> Iterator[Bad]:
    """All that are listed here, then random ones until there are so many."""
    made = 0
    for bad in _listed(provider):
        made += 1
        yield bad
    while made < at_least:
        made += 1
        yield _random(provider, random)


def _listed(provider: Provider) -> Iterator[Bad]:
    yield from _of_another_job(provider)
    yield from _for_others(provider)
    yield from _of_another_time(provider)
    yield from _signed_otherwise(provider)
    yield from _with_another_header(provider)
    yield from _spelled_otherwise(provider)


def _with(provider: Provider, what: str, **claims: Any) -> Bad:
    return what, provider.token({**provider.claims(), **claims})


def _without(provider: Provider, name: str) -> Bad:
    claims = provider.claims()
    del claims[name]
    return f"{name} is missing", provider.token(claims)


def _of_another_job(provider: Provider) -> Iterator[Bad]:
    for name in IDS[provider.source]:
        yield _without(provider, name)
        for value in (*OF_NO_TYPE, *_near(provider.claims()[name])):
            yield _with(provider, f"{name} is {value!r}", **{name: value})
    event = "event_name" if provider.source is Source.GITHUB else "pipeline_source"
    for value in EVENTS[provider.source]:
        yield _with(provider, f"{event} is {value}", **{event: value})


def _near(right: str) -> Iterator[Any]:
    """What a careless comparison takes for the same."""
    yield from (value for value in _neighbours(right) if value != right)


def _neighbours(right: str) -> Iterator[Any]:
    yield from (right.upper(), right.title(), right + " ", " " + right, right + "\n", right + "\0")
    yield from (right[:-1], right[1:], right + right[-1], right[::-1], [right], {"name": right})
    yield from (
        f"{right}/",
        f"/{right}",
        f"{right}.",
        f"{right},{right}",
        right.replace("a", "\u0430"),
    )
    yield from (right.replace("/", "//"), right.replace("main", "main2"), f"x{right}", f"{right}x")
    if right.isdigit():
        yield from (int(right), float(right), f"0{right}", f"+{right}", f"{right}.0", f"{right}e0")
        yield "".join(chr(0xFF10 + int(digit)) for digit in right)  # full-width digits


def _for_others(provider: Provider) -> Iterator[Bad]:
    claims = provider.claims()
    for name in ("iss", "aud", "jti"):
        yield _without(provider, name)
        values: list[Any] = [*OF_NO_TYPE, *(() if name == "jti" else _near(claims[name]))]
        for value in values:
            if name == "jti" and isinstance(value, str) and value:
                continue  # any text names a token
            yield _with(provider, f"{name} is {value!r}", **{name: value})
    for others in (["https://other.example"], [claims["aud"], "https://other.example"]):
        yield _with(provider, f"aud is {others}", aud=others)
    yield _with(provider, "aud is that of another cloud", aud="sts.amazonaws.com")
    yield _with(provider, "aud is the default one", aud="https://github.com/acme")


def _of_another_time(provider: Provider) -> Iterator[Bad]:
    at = int(provider.now.timestamp())
    for name in ("exp", "nbf", "iat"):
        yield _without(provider, name)
        times: tuple[Any, ...] = (None, True, [], {}, "", str(at), at + 0.5, "never", 10**400)
        for value in times:
            yield _with(provider, f"{name} is {str(value)[:40]!r}", **{name: value})
    for late in LATE:
        gone = {"iat": at - SLACK_S - late - 300, "exp": at - SLACK_S - late}
        yield _with(provider, f"expired {late} s ago", **gone)
        coming = dict.fromkeys(("iat", "nbf"), at + SLACK_S + late)
        for name, time in coming.items():
            later = {name: time, "exp": time + 300}
            yield _with(provider, f"{name} is {late} s ahead", **later)
        yield _with(provider, f"lives {late} s too long", exp=at + LONGEST_LIFE_S + late)
    yield _with(provider, "ends before it begins", exp=at - 1, iat=at)


def _signed_otherwise(provider: Provider) -> Iterator[Bad]:
    claims, kid = provider.claims(), {"kid": provider.kid}
    public = provider.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    yield "signed by somebody else's key", jwt.encode(claims, new_key(), "RS256", kid)
    for algorithm in ("RS384", "RS512", "PS256", "PS384", "PS512"):
        yield f"signed by {algorithm}", jwt.encode(claims, provider.key, algorithm, kid)
    yield "ES256", jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", kid)
    yield "EdDSA", jwt.encode(claims, ed25519.Ed25519PrivateKey.generate(), "EdDSA", kid)
    head, body, signature = provider.token(claims).split(".")
    for algorithm in ("HS256", "HS384", "HS512"):
        yield f"{algorithm} with the public key", _hmac(algorithm, provider, body, public)
    for name in ("none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", None, 256, ["RS256"]):
        forged = _encoded({"alg": name, "kid": provider.kid})
        yield f"alg is {name!r}", f"{forged}.{body}.{signature}"
        yield f"alg is {name!r}, unsigned", f"{forged}.{body}."
    yield "no signature", f"{head}.{body}."
    yield "two parts", f"{head}.{body}"
    yield "four parts", f"{head}.{body}.{signature}.{signature}"
    yield "the signature of another token", f"{head}.{body}.{provider.token().split('.')[2]}"
    yield "claims and header swapped", f"{body}.{head}.{signature}"


def _hmac(algorithm: str, provider: Provider, body: str, secret: bytes) -> str:
    """The known confusion: the public key taken for a shared secret."""
    hasher = jwt.get_algorithm_by_name(algorithm)
    signed = f"{_encoded({'alg': algorithm, 'kid': provider.kid})}.{body}"
    mark = base64.urlsafe_b64encode(hasher.sign(signed.encode(), secret)).rstrip(b"=").decode()
    return f"{signed}.{mark}"


def _with_another_header(provider: Provider) -> Iterator[Bad]:
    for kid in ("", "key-2", "../../key-1", "key-1\0", "KEY-1", "k" * 201, "' OR '1'='1"):
        yield f"kid is {kid[:20]!r}", provider.token(kid=kid)
    stranger = new_key()
    claims = provider.claims()
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key()))
    brought: dict[str, Any] = {
        "jwk": own,
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/chain",
        "x5c": ["MIIB"],
        "crit": ["exp"],
        "b64": False,
        "cty": "JWT",
    }
    for name, value in brought.items():
        header = {"kid": provider.kid, name: value}
        yield f"{name} in the header", jwt.encode(claims, provider.key, "RS256", header)
        yield f"{name}, signed by it", jwt.encode(claims, stranger, "RS256", header)


def _spelled_otherwise(provider: Provider) -> Iterator[Bad]:
    """The same bytes in another spelling would be a second token of one `jti`."""
    token = provider.token()
    head, body, signature = token.split(".")
    yield from ((f"{char!r} behind it", token + char) for char in "=. \n\t\0")
    yield from ((f"{char!r} before it", char + token) for char in "=. \n\t\0")
    yield "padding", f"{head}==.{body}=.{signature}=="
    yield "another last digit", token[:-1] + _sibling(token[-1])
    yield "not of this alphabet", f"{head}.{body}.{signature.replace('-', '+').replace('_', '/')}+"
    for text in ("null", "[]", "1", '"x"', "{", "{}", "[" * 5000, '{"iss":NaN}'):
        part = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
        yield f"claims are {text[:10]}", f"{head}.{part}.{signature}"
        yield f"header is {text[:10]}", f"{part}.{body}.{signature}"
    for junk in (
        "",
        ".",
        "..",
        "a.b.c",
        "e30.e30.e30",
        "x" * 9000,
        "\u0435" * 40,
        "Bearer " + token,
    ):
        yield f"junk {junk[:10]!r}", junk


def _sibling(char: str) -> str:
    """Another last digit of base64 whose bits that count are the same."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return digits[digits.index(char) ^ 1]


def _random(provider: Provider, random: Random) -> Bad:
    """A claim of a job with one to three edits; one in four: the token itself with an edit."""
    if random.randrange(4) == 0:
        token = provider.token()
        return "edited on the way", _edited(token, random)
    name = random.choice(IDS[provider.source])
    right = provider.claims()[name]
    value = right
    while value == right:
        for _ in range(random.randrange(1, 4)):
            value = _edited(value, random)
    return _with(provider, f"{name} is {value!r}", **{name: value})


def _edited(text: str, random: Random) -> str:
    """One character changed, taken out, doubled, or put before another one."""
    at = random.randrange(len(text)) if text else 0
    other = chr(random.choice([c for c in range(33, 127) if chr(c) != text[at : at + 1]]))
    match random.randrange(4):
        case 0:
            return text[:at] + other + text[at + 1 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case 2:
            return text[: at + 1] + text[at:]
        case _:
            return text[:at] + other + text[at:]


def _encoded(header: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
