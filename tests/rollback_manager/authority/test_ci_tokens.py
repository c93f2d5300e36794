"""A CI token counts for what its issuer signed, for this gateway, now, by ids and by no name."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import pytest

from proof.attack.identity_provider import SHA, Provider, new_key, rules
from proof.attack.tokens import bad_tokens
from rollback_manager.authority.ci_credentials import BadCredential, Credentials
from rollback_manager.authority.ci_rules import CiRule, Source
from rollback_manager.authority.ci_tokens import (
    BadCiToken,
    Granted,
    NotAllowed,
    granted,
    issuer_of,
    key_id,
    verified,
)
from rollback_manager.authority.people import Accounts, Directory
from rollback_manager.catalogue_text import read_catalogue
from rollback_manager.errors import CatalogueError, PermanentError

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
SEED = Random(8)  # noqa: S311 -- it draws mistakes, no secrets
OLD_SUB = "repo:acme/shop:environment:production"


@cache
def provider(source: Source) -> Provider:
    return Provider(source, NOW)


def judged(
    source: Source, token: str, now: datetime = NOW, rule: dict[str, Any] | None = None
) -> Granted:
    issuer = issuer_of(token, (provider(source).issuer,))
    if key_id(token) != provider(source).kid:
        raise BadCiToken("its key is not the issuer's")
    claims = verified(token, provider(source).key.public_key(), issuer, now)
    ruled = CiRule.model_validate(rule or rules(source))
    return granted(claims, source, {"shop": (ruled,)})


@pytest.mark.parametrize("source", Source)
def test_a_token_of_the_right_job_may_ask_for_its_own_service(source: Source) -> None:
    allowed = judged(source, provider(source).token())
    assert allowed.places == ("production/shop",)
    assert allowed.subject in {"ci:github/4711", "ci:gitlab/42"}
    assert allowed.has("production", "shop")
    assert not allowed.has("production", "cart")


ANA, BO = "ana@example.com", "bo@example.com"
PEOPLE = Directory(
    people={ANA: Accounts(github=583231, gitlab=31), BO: Accounts(github=7, gitlab=8)}
)
ACCOUNT = {
    Source.GITHUB: ("actor", "actor_id", "583231"),
    Source.GITLAB: ("user_login", "user_id", "31"),
}


def behind(source: Source, **changes: object) -> tuple[str, ...]:
    claims = {**provider(source).claims(), **changes}
    ruled = CiRule.model_validate(rules(source))
    return granted(claims, source, {"shop": (ruled,)}, PEOPLE).behind


@pytest.mark.parametrize("source", Source)
def test_who_made_the_job_run_is_known_by_the_accounts_id_and_by_no_name(source: Source) -> None:
    name, id_, hers = ACCOUNT[source]
    assert behind(source) == (ANA,)
    assert behind(source, **{name: "renamed"}) == (ANA,)
    assert behind(source, **{name: "bo"}) == (ANA,)  # she took over his name
    his = {id_: "7" if source is Source.GITHUB else "8"}
    assert behind(source, **{name: "ana"}, **his) == (BO,)  # he took over hers
    assert behind(source, **{id_: "99"}) == (f"ci:{source}/user/99",)
    for nobody in (None, int(hers), f"{hers} ", f"-{hers}", "9" * 21, "\u0663\u0661", [hers], True):
        assert behind(source, **{id_: nobody}) == (), nobody


def test_a_credential_keeps_who_is_behind_the_job() -> None:
    credentials = Credentials(b"k" * 32)
    known = Granted(subject="ci:github/4711", places=("production/shop",), behind=(ANA,))
    assert credentials.read(credentials.given(known, NOW)[0], NOW) == known


@pytest.mark.parametrize("source", Source)
def test_no_token_with_one_thing_wrong_counts(source: Source) -> None:
    """All that are listed; `make attack` makes thousands of random ones more."""
    tried, let_in = 0, []
    for what, token in bad_tokens(provider(source), SEED, 0):
        tried += 1
        try:
            judged(source, token)
        except (BadCiToken, NotAllowed):
            continue
        let_in.append(what)
    assert tried > 200
    assert let_in == []


@pytest.mark.parametrize("sub", [OLD_SUB, "anything", None, 7])
def test_the_subject_is_never_compared(sub: object) -> None:
    claims = {**provider(Source.GITHUB).claims(), "sub": sub}
    assert judged(Source.GITHUB, provider(Source.GITHUB).token(claims)).places


def test_a_name_that_somebody_took_over_opens_nothing() -> None:
    """The names are right, and the ids are those of who has the names now."""
    stolen = {**provider(Source.GITHUB).claims(), "repository_id": "4712", "sub": OLD_SUB}
    with pytest.raises(NotAllowed):
        judged(Source.GITHUB, provider(Source.GITHUB).token(stolen))


def test_a_workflow_may_be_pinned_to_its_commit() -> None:
    rule = rules(Source.GITHUB)
    rule["github"]["job_workflow_sha"] = SHA
    assert judged(Source.GITHUB, provider(Source.GITHUB).token(), rule=rule).places
    rule["github"]["job_workflow_sha"] = "f" * 40
    with pytest.raises(NotAllowed):
        judged(Source.GITHUB, provider(Source.GITHUB).token(), rule=rule)


@pytest.mark.parametrize("skew_s", [-60, -59, 0, 59, 300, 359])
def test_clocks_may_differ_by_a_minute(skew_s: int) -> None:
    token = provider(Source.GITHUB).token()
    assert judged(Source.GITHUB, token, NOW + timedelta(seconds=skew_s)).places


@pytest.mark.parametrize("skew_s", [-62, 361])
def test_and_by_no_more(skew_s: int) -> None:
    token = provider(Source.GITHUB).token()
    with pytest.raises(BadCiToken):
        judged(Source.GITHUB, token, NOW + timedelta(seconds=skew_s))


@pytest.mark.parametrize(
    ("skew_s", "says"),
    [
        (-90, r"of the future, \d+ s ahead of here: 60 s are allowed"),
        (420, r"has expired, 120 s ago: 60 s are allowed"),
        (-7200, "of the future$"),
        (7200, "has expired$"),
    ],
)
def test_a_token_that_the_clocks_refuse_says_by_how_much(skew_s: int, says: str) -> None:
    token = provider(Source.GITHUB).token()
    with pytest.raises(BadCiToken) as refused:
        judged(Source.GITHUB, token, NOW + timedelta(seconds=skew_s))
    assert re.search(says, refused.value.because)


def test_a_key_that_is_too_short_signs_nothing() -> None:
    short = new_key(1024).public_key()
    with pytest.raises(BadCiToken, match="too short"):
        verified(provider(Source.GITHUB).token(), short, provider(Source.GITHUB).issuer, NOW)


def test_no_refusal_repeats_what_was_sent() -> None:
    claims = {**provider(Source.GITHUB).claims(), "aud": "s3cret-audience"}
    with pytest.raises(BadCiToken) as refused:
        judged(Source.GITHUB, provider(Source.GITHUB).token(claims))
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("ci", "said"),
    [
        ("[{github: {repository_id: 1}}]", "repository_owner_id: is missing"),
        ("[{}]", "write one of github and gitlab"),
        ("[{gitlab: {project_id: 42, environment: prod, pipeline_source: [push]}}]", ""),
        ("[{gitlab: {project_id: 42, environment: stage}}]", "shop does not run in stage"),
        ("[{gitlab: {project_id: 'a*', environment: prod}}]", "expected an id in digits"),
        (
            "[{gitlab: {project_id: 4, environment: x, pipeline_source: [merge_request_event]}}]",
            "runs what somebody proposed",
        ),
    ],
)
def test_a_rule_of_the_catalogue_names_every_id(ci: str, said: str) -> None:
    text = f"""\
version: 1
environments: {{prod: {{}}}}
services:
  shop:
    strategy: blue_green
    environments:
      prod:
        workloads: {{kind: supervisord, socket: /x, program: x}}
        traffic: {{kind: envoy, admin: "http://127.0.0.1:1", routes: /x, route: x}}
    ci: {ci}
"""
    if not said:
        assert read_catalogue(text).services["shop"].ci
        return
    with pytest.raises(CatalogueError, match=said):
        read_catalogue(text)


def test_a_credential_ends_after_ten_minutes_and_is_of_one_gateway() -> None:
    allowed = Granted(subject="ci:github/4711", places=("production/shop",))
    own, other = Credentials(b"k" * 32), Credentials(b"o" * 32)
    credential, until = own.given(allowed, NOW)
    assert until == NOW + timedelta(minutes=10)
    assert own.read(credential, NOW + timedelta(seconds=599)) == allowed
    with pytest.raises(BadCredential, match="are over"):
        own.read(credential, NOW + timedelta(minutes=10))
    for forged in (
        other.given(allowed, NOW)[0],
        credential[:-2] + "AA",
        provider(Source.GITHUB).token(),
        "",
    ):
        with pytest.raises(BadCredential):
            own.read(forged, NOW)


def test_a_key_of_credentials_is_long_enough() -> None:
    with pytest.raises(PermanentError, match="shorter than 32 bytes"):
        Credentials(b"short")


def test_a_token_is_spelled_in_one_way_alone() -> None:
    token = provider(Source.GITHUB).token()
    assert key_id(token) == "key-1"
    for other in (f"{token}=", token.replace(".", "=.", 1), token[:-1] + chr(ord(token[-1]) ^ 1)):
        with pytest.raises(BadCiToken):
            key_id(other)
