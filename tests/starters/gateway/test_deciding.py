"""Allowed, audited, signed, sent: in this order, and nothing without the one before."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from rollback_manager.audit import Entry, Event
from rollback_manager.authority.ci_credentials import Credentials
from rollback_manager.authority.may import Channel
from rollback_manager.authority.people import Kind, Person
from rollback_manager.authority.token import Dec, signed, verify_key  # noqa: F401
from rollback_manager.catalogue import Catalogue
from rollback_manager.client import RollbackClient
from rollback_manager.contract import Answered, Decision, RollbackRequest, Vote
from rollback_manager.errors import NotFound, Unreachable
from rollback_manager.progress import RollbackStatus, ServiceStatus, State, StepState, StepStatus
from rollback_manager.report import Report
from rollback_manager.tier import Tier
from starters.gateway.app import make_app
from starters.gateway.auditing import Auditing
from starters.gateway.ci.door import CiDoor
from starters.gateway.deciding import Asked, Deciding, decide
from starters.gateway.doors import Binding, Doors
from starters.gateway.pages.decisions import decided
from starters.gateway.pages.forms import Sent as FormSent
from starters.gateway.pages.seen import Seen
from starters.gateway.pages.steering import steering
from starters.gateway.problems import Refused
from starters.gateway.replays import Replays
from starters.gateway.signing import SigningKey
from tests import rig
from tests.starters.gateway.conftest import ORIGIN

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
DIGEST = "ab" * 32
ROLLBACK = "rollback/test/k"
OWNER = Person(subject="ana@example.com", groups=("payments",), method="web+mfa", factors=("mfa",))
REQUESTER = Person(subject="ben@example.com", groups=("payments",), method="web+mfa")
CHECKOUT = ServiceStatus(
    rollback=ROLLBACK,
    service="checkout",
    state=State.NEEDS_HUMAN,
    from_version="v2",
    to_version="v1",
    steps=(StepStatus(name="drain", target="no request", state=StepState.FAILED),),
    nonce="step's question",
)
STRANGER = Person(subject="eve@example.com", groups=("sales",))


@dataclass
class Chain:
    """A stand-in for the audit chain: keeps events, or is away."""

    kept: dict[str, Event] = field(default_factory=dict)
    is_away: bool = False

    def append(self, event: Event) -> Entry:
        if self.is_away:
            raise Unreachable("the records do not answer")
        first = self.kept.setdefault(event.event_id, event)
        return Entry(**dict(first), seq=1, prev_hash="", ts_server=NOW, key_id="k")

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(one.subject, one.action, one.outcome) for one in self.kept.values()]


@dataclass
class Sent:
    """A stand-in for the rollback: keeps what reaches it, and what the chain had by then."""

    chain: Chain
    tier: Tier = Tier.T2
    answers: Answered = field(default_factory=lambda: Answered(applied=True, because="1 of 1"))
    got: list[Any] = field(default_factory=list)
    audited_before: list[int] = field(default_factory=list)
    no_worker: bool = False
    answers_from: asyncio.Event | None = None

    def rollback(self, id: str) -> "Sent":
        return self

    @property
    def temporal(self) -> Client:
        raise Unreachable("it has no history here")

    async def request(self) -> RollbackRequest:
        return RollbackRequest(
            env="test", services=("checkout",), key="k", requested_by=REQUESTER.subject
        )

    async def first_run(self) -> str:
        return "first-run"

    async def status(self) -> RollbackStatus:
        if self.answers_from is not None:
            await self.answers_from.wait()
        if self.no_worker:
            raise Unreachable("no worker answers")
        return RollbackStatus(
            rollback=ROLLBACK,
            env="test",
            state=State.WAITING_FOR_APPROVAL,
            digest=DIGEST,
            nonce="question",
            tier=self.tier,
            services=(CHECKOUT,),
        )

    async def by_itself(self) -> RollbackStatus:
        return await self.status()

    async def vote(self, decision: Decision, vote: Vote, *, vote_id: str) -> Answered:
        self._note(vote)
        return self.answers

    async def step(self, verb: str, service: str, command: Any) -> Answered:
        self._note(command)
        return self.answers

    async def abort(self, command: Any) -> None:
        self._note(command)

    def _note(self, command: Any) -> None:
        self.got.append(command)
        self.audited_before.append(len(self.chain.kept))


def _catalogue() -> Catalogue:
    base = rig.catalogue("checkout", {}).model_dump()
    base["services"]["checkout"]["owners"] = ["payments"]
    base["environments"]["test"] |= {
        "security": "secured",
        "signing_keys": [verify_key(KEY, "k1").model_dump()],
        "roles": {"on_call": ["on-call"], "incident_commander": ["ic"]},
    }
    return Catalogue.model_validate(base)


def _doors(sent: Sent, **more: Any) -> Doors:
    return replace(
        Doors(
            rollbacks=cast(RollbackClient, sent),
            catalogue=_catalogue(),
            binding=Binding("127.0.0.1", 8088, ORIGIN, ("127.0.0.1:8088",)),
            now=lambda: NOW,
            auditing=Auditing(sent.chain, lambda: NOW),
            signer=lambda: SigningKey("k1", KEY),
        ),
        **more,
    )


def _asked(deciding: Deciding = Deciding.APPROVE, **more: str) -> Asked:
    words = {"rollback": ROLLBACK, "id": "d-1", "plan": DIGEST[:12], **more}
    return Asked.model_validate({"deciding": deciding, **words})


@pytest.fixture
def sent() -> Sent:
    return Sent(Chain())


async def test_a_decision_is_signed_for_this_and_audited_before_it_is_sent(sent: Sent) -> None:
    assert (await decide(_doors(sent), OWNER, Channel.WEB, _asked())).applied
    (vote,) = sent.got
    (event,) = sent.chain.kept.values()
    assert sent.audited_before == [1]
    assert event.decision_jws == vote.token
    assert (event.subject, event.action, event.object) == (OWNER.subject, "approve", ROLLBACK)
    assert (event.plan_digest, event.outcome) == (DIGEST, "asked")
    claims = _claims(vote.token)
    assert claims["rid"] == ROLLBACK
    assert (claims["run"], claims["plan"], claims["nonce"]) == ("first-run", DIGEST, "question")
    assert (claims["sub"], claims["dec"], claims["aud"]) == (
        OWNER.subject,
        "approve",
        "rollback-manager/test",
    )
    assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize(
    ("step", "nonce"),
    [("drain", "step's question"), ("wave-1", "question"), ("part-2", "question")],
)
async def test_who_names_a_step_answers_the_question_that_is_open_there(
    sent: Sent, step: str, nonce: str
) -> None:
    asked = _asked(Deciding.RETRY_STEP, step=step, service="checkout")
    assert (await decide(_doors(sent), OWNER, Channel.CLI, asked)).applied
    assert _claims(sent.got[0].token)["nonce"] == nonce


async def test_a_form_answers_the_question_of_the_service_whose_step_it_names(sent: Sent) -> None:
    form = {"token": "t", "id": "web-1", "plan": DIGEST, "nonce": CHECKOUT.nonce}
    form |= {"service": "checkout", "step": "drain"}
    for verb in (Deciding.RETRY_STEP, Deciding.SKIP_STEP):
        of = FormSent.model_validate(form | {"id": f"web-{verb.replace('_', '-')}"})
        answer = await decided(_doors(sent), OWNER, ROLLBACK, verb, of)
        assert answer.status_code == 303
        assert sent.got[-1].step == "drain"
        claims = _claims(sent.got[-1].token)
        assert (claims["nonce"], claims["plan"]) == (CHECKOUT.nonce, DIGEST)
        assert claims["dec"] == str(verb)


@pytest.mark.parametrize(
    ("person", "tier", "buttons", "because"),
    [
        (OWNER, Tier.T2, ["retry-step", "skip-step"], ""),
        (OWNER, Tier.T3, [], "only incident commander"),
        (STRANGER, Tier.T1, [], "eve@example.com may not retry step"),
        (
            Person(subject="oc@example.com", groups=("on-call",), method="web"),
            Tier.T2,
            ["retry-step"],
            "oc@example.com may not skip step at T2",
        ),
    ],
)
async def test_a_page_has_buttons_for_who_may_and_reasons_for_who_may_not(
    sent: Sent, person: Person, tier: Tier, buttons: list[str], because: str
) -> None:
    sent.tier = tier
    report = cast(Report, SimpleNamespace(request=await sent.request()))
    ways = steering(_doors(sent), person, Seen(ROLLBACK, await sent.status(), report))
    assert [one.path for one in ways if not one.may_not] == buttons
    assert because in " ".join(one.may_not for one in ways)


async def test_an_answer_to_a_question_that_was_answered_is_not_sent(sent: Sent) -> None:
    for step in ("drain", "wave-1"):
        asked = _asked(
            Deciding.SKIP_STEP, step=step, service="checkout", nonce="an old one", id=step
        )
        with pytest.raises(Refused, match="does not ask that any more") as refused:
            await decide(_doors(sent), OWNER, Channel.WEB, asked)
        assert refused.value.status == 409
    assert not sent.got


async def test_a_step_of_another_rollbacks_service_is_not_reached_through_this_one(
    sent: Sent,
) -> None:
    asked = _asked(Deciding.SKIP_STEP, step="drain", service="billing")
    with pytest.raises(NotFound, match="no such service"):
        await decide(_doors(sent), OWNER, Channel.CLI, asked)
    assert not sent.got


def _claims(token: str) -> dict[str, Any]:
    """As the workflow verifies it: by the public key of the catalogue."""
    import jwt

    found: dict[str, Any] = jwt.decode(
        token,
        KEY.public_key(),
        algorithms=["EdDSA"],
        audience="rollback-manager/test",
        options={"verify_exp": False, "verify_iat": False},
    )
    return found


@pytest.mark.parametrize(
    ("person", "deciding", "tier", "channel", "because"),
    [
        (STRANGER, Deciding.APPROVE, Tier.T1, Channel.WEB, "may not approve"),
        (REQUESTER, Deciding.APPROVE, Tier.T2, Channel.WEB, "somebody else approves"),
        (OWNER, Deciding.APPROVE, Tier.T2, Channel.SLACK, "a click in Slack is not enough"),
        (STRANGER, Deciding.ABORT_HOLD, Tier.T1, Channel.WEB, "may not abort"),
        (OWNER, Deciding.ABORT_HOLD, Tier.T3, Channel.WEB, "only incident commander"),
        (
            Person(subject="ci:github/1", kind=Kind.CI, method="ci"),
            Deciding.APPROVE,
            Tier.T1,
            Channel.CI,
            "nobody can approve by ci",
        ),
    ],
)
async def test_who_may_not_is_told_why_and_it_is_kept(
    sent: Sent, person: Person, deciding: Deciding, tier: Tier, channel: Channel, because: str
) -> None:
    sent.tier = tier
    with pytest.raises(Refused, match=because) as refused:
        await decide(_doors(sent), person, channel, _asked(deciding))
    assert refused.value.status == 403
    assert not sent.got
    ((subject, action, outcome),) = sent.chain.told
    assert (subject, action) == (person.subject, deciding.verb)
    assert outcome.startswith("refused: ")
    assert because in outcome


async def test_a_refusal_is_kept_though_whoever_asked_did_not_wait_for_it(sent: Sent) -> None:
    sent.answers_from = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):  # as a page does, which answers within seconds
            await decide(_doors(sent), STRANGER, Channel.WEB, _asked())
    sent.answers_from.set()
    async with asyncio.timeout(5):
        while not sent.chain.told:
            await asyncio.sleep(0.01)
    ((subject, action, outcome),) = sent.chain.told
    assert (subject, action) == (STRANGER.subject, "approve")
    assert outcome.startswith("refused: ")


async def test_without_its_entry_nothing_is_sent(sent: Sent) -> None:
    sent.chain.is_away = True
    with pytest.raises(Unreachable, match="audit chain cannot be written") as away:
        await decide(_doors(sent), OWNER, Channel.WEB, _asked())
    assert "break the glass" in away.value.next_step
    assert not sent.got


async def test_without_its_key_nothing_is_sent(sent: Sent) -> None:
    with pytest.raises(Exception, match="must be signed"):
        await decide(_doors(sent, signer=None), OWNER, Channel.WEB, _asked())
    assert not sent.got


async def test_what_the_rollback_ignored_is_kept_too(sent: Sent) -> None:
    sent.answers = Answered(applied=False, because="it quotes another plan")
    assert not (await decide(_doors(sent), OWNER, Channel.WEB, _asked())).applied
    assert [outcome for _, _, outcome in sent.chain.told] == [
        "asked",
        "refused: it quotes another plan",
    ]


async def test_an_id_stands_for_one_decision_whatever_process_is_asked(sent: Sent) -> None:
    await decide(_doors(sent), OWNER, Channel.WEB, _asked())
    another = _doors(sent)  # another process: it remembers nothing but the chain
    assert (await decide(another, OWNER, Channel.WEB, _asked())).applied
    with pytest.raises(Refused) as refused:
        await decide(_doors(sent), OWNER, Channel.WEB, _asked(reason="another one"))
    assert (refused.value.status, refused.value.type) == (409, "key-reused")
    assert len(sent.got) == 2


async def test_an_abort_needs_no_worker_and_counts_for_a_day(sent: Sent) -> None:
    sent.no_worker = True
    on_call = Person(subject="oc@example.com", groups=("on-call",), method="web")
    got = await decide(_doors(sent), on_call, Channel.WEB, _asked(Deciding.ABORT_HOLD))
    assert (got.applied, got.pending) == (False, True)
    assert "no worker has answered yet" in got.because
    assert [outcome.partition(":")[0] for _, _, outcome in sent.chain.told] == [
        "asked",
        "sent, not judged",
    ]
    claims = _claims(sent.got[0].token)
    assert claims["exp"] - claims["iat"] == timedelta(hours=24).total_seconds()
    assert claims["dec"] == str(Dec.ABORT_HOLD)


@pytest.fixture
async def door(sent: Sent) -> AsyncIterator[tuple[httpx.AsyncClient, Sent]]:
    transport = httpx.ASGITransport(make_app(_doors(sent)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield http, sent


async def test_whoever_is_turned_away_at_the_door_is_kept_once(
    door: tuple[httpx.AsyncClient, Sent],
) -> None:
    http, sent = door
    where = f"/api/v1/{ROLLBACK}/decisions"
    bad = {"Authorization": "Bearer nothing"}
    assert (await http.post(where, json={"decision": "approve"}, headers=bad)).status_code == 401
    elsewhere = {"Origin": "http://elsewhere.test"}
    assert (await http.post(where, json={}, headers=elsewhere)).status_code == 403
    vote = {"decision": "approve", "plan": DIGEST}
    assert (await http.post(where, json=vote)).status_code == 403  # the operator has no role here
    assert [(subject, action) for subject, action, _ in sent.chain.told] == [
        ("unknown", "http.post"),
        ("unknown", "http.post"),
        ("local:unknown", "approve"),
    ]
    assert not sent.got


async def test_who_has_no_role_has_nothing_planned_started_or_recorded(sent: Sent) -> None:
    ci = CiDoor((), {}, cast(Replays, None), Credentials(b"k" * 32))
    transport = httpx.ASGITransport(make_app(_doors(sent, ci=ci)), raise_app_exceptions=False)
    wanted = {"env": "test", "services": ["checkout"]}
    release = {"env": "test", "service": "checkout", "version": "v1"}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        for path, body in (
            ("plans", wanted),
            ("rollbacks", wanted),
            ("ci/releases", release),
        ):
            answer = await http.post(f"/api/v1/{path}", json=body)
            assert (answer.status_code, answer.json()["type"]) == (403, "not-allowed"), answer.text
    assert [(who, action) for who, action, _ in sent.chain.told] == [
        ("local:unknown", "plan"),
        ("local:unknown", "plan"),
        ("local:unknown", "record_release"),
    ]


async def test_whoever_knocks_without_end_does_not_fill_the_chain(
    door: tuple[httpx.AsyncClient, Sent],
) -> None:
    http, sent = door
    for _ in range(100):
        bad = {"Authorization": "Bearer nothing"}
        await http.post("/api/v1/rollbacks", json={}, headers=bad)
    assert len(sent.chain.kept) in range(60, 70)
