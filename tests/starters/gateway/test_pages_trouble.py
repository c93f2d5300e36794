"""Pages while something is away, or somebody writes what should not be read as a page."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from temporalio.client import Client

from rollback_manager.client import RollbackClient
from rollback_manager.decision.engine import decide
from rollback_manager.gates import Group
from rollback_manager.incidents.alarms import Refusal, Refused
from rollback_manager.incidents.incident_status import IncidentStatus, SeenIncident
from rollback_manager.plan import Risk
from rollback_manager.progress import RollbackStatus, ServiceStatus, State, StepStatus
from rollback_manager.rendering import report_sections
from rollback_manager.report import build
from starters.gateway import told
from starters.gateway.app import make_app
from starters.gateway.pages import (
    asking,
    freezes,
    incidents,
    lists,
    plan_view,
    rendered,
    services,
    status_view,
    ways,
)
from starters.gateway.pages.forms import Sent
from starters.gateway.pages.said import Word
from starters.gateway.problems import simple
from tests import builders as b
from tests import rig
from tests.incidents import POLICY, evidence, facts, incident
from tests.starters.gateway.conftest import ORIGIN, Gate, opened
from tests.starters.gateway.test_away import reached_by

HOSTILE = "</p><img src=x onerror=alert(1)><script>x()</script>\x1b[31m\u202e\x07 \"'` {{ 7 * 7 }}"
"""Markup, escapes, a reversal of direction, quotes, a template's own marks."""


@pytest.mark.long
async def test_without_a_worker_the_history_still_tells(client: Client, tmp_path: Path) -> None:
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 60}}
    async with rig.rig(client, tmp_path, cached=1000, policy=policy, manned=False) as made:
        async with made.worker():
            rollback = await made.start()
            await made.until(rollback, State.WAITING_FOR_APPROVAL)
        async with opened(made) as gate:
            page = (await gate.http.get(f"/{rollback.id}")).text
    assert "How it stands now is unknown: no worker answers" in page
    assert "the plan was made" in page
    assert "<h2>What goes back</h2>" in page
    assert '<form method="post" action="/rollback' not in page


@pytest.mark.long
async def test_without_temporal_the_page_has_the_plans_own_commands(
    client: Client, asking: Gate
) -> None:
    rollback = await asking.rig.start()
    await asking.rig.until(rollback, State.WAITING_FOR_APPROVAL)
    async with reached_by(client) as (other, gone):
        away = RollbackClient(other, task_queue=asking.rig.settings.task_queue)
        app = make_app(replace(asking.doors, rollbacks=away))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            assert (await http.get(f"/{rollback.id}")).status_code == 200
            await gone()
            await asyncio.sleep(told.KEPT.total_seconds())  # what was just read serves so long
            for path in (f"/{rollback.id}/abort", "/", "/incidents"):
                refused = await http.get(path)
                assert refused.status_code == 503, path
                assert "Temporal does not answer" in refused.text
                assert "Rollbacks that run go on" in refused.text
            assert "The plan by hand" in (await http.get(f"/{rollback.id}/abort")).text


class Read(HTMLParser):
    """The tags of a page and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]


def hostile_pages() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each template with everything foreign in it made hostile."""
    step = StepStatus(name=HOSTILE, target=HOSTILE, summary=HOSTILE)
    service = ServiceStatus(
        rollback=b.PARENT, service=HOSTILE, state=State.NEEDS_HUMAN, from_version=HOSTILE,
        to_version=HOSTILE, steps=(step,), waits_for=HOSTILE,
    )  # fmt: skip
    now_is = RollbackStatus(
        rollback=HOSTILE, env=HOSTILE, state=State.WAITING_FOR_APPROVAL, digest=HOSTILE,
        requested_by=HOSTILE, reason=HOSTILE, waits_for=HOSTILE, services=(service,),
        tier_because=HOSTILE, quorum=HOSTILE, nonce=HOSTILE,
    )  # fmt: skip
    plan = b.plan(
        risks=(Risk(risk=HOSTILE, mitigation=HOSTILE),),
        gates=(b.gate(Group.BEFORE, HOSTILE, HOSTILE),),
        abort_when=(HOSTILE,),
        env=HOSTILE,
        tier_because=HOSTILE,
    )
    report = build(b.verified(b.request(reason=HOSTILE, requested_by=HOSTILE, incident=HOSTILE)))
    asked = asking.question(now_is, plan)
    sections = tuple(report_sections.sections(report))
    way = ways.Way(
        "retry-step", HOSTILE, (HOSTILE,), HOSTILE, "", service=HOSTILE, step=HOSTILE, nonce=HOSTILE
    )
    yield (
        "rollback.html",
        {
            "id": HOSTILE,
            "silent": HOSTILE,
            "said": Word(HOSTILE, applied=False),
            "now": status_view.status(now_is, b.at(9)),
            "asked": asked,
            "pictures": [(HOSTILE, f"/{HOSTILE}", HOSTILE)],
            "evidence": [(HOSTILE, f"/{HOSTILE}", HOSTILE)],
            "steer_key": HOSTILE,
            "steer": (way, way._replace(may_not=HOSTILE)),
            "plan": plan_view.sections(plan),
            "by_hand": (HOSTILE,),
            "told": sections,
            "planned": HOSTILE,
        },
    )
    sent = Sent(token=HOSTILE, id="web-1", reason=HOSTILE, confirm=HOSTILE, incident=HOSTILE)
    beside = asking.Confirmed(word=HOSTILE, incident=True, reason_length=20, proof=False)
    yield (
        "approve.html",
        {
            "id": HOSTILE,
            "asked": asked,
            "confirmed": beside,
            "sent": sent,
            "lacking": [HOSTILE],
        },
    )
    yield "abort.html", {"id": HOSTILE, "moves": HOSTILE, "ways": asking.aborting(now_is)}
    yield (
        "report.html",
        {
            "id": HOSTILE, "headline": HOSTILE, "good": True, "summary": (HOSTILE,),
            "sections": sections, "pictures": [], "forms": ["md"],
        },
    )  # fmt: skip
    badge = status_view.Badge(HOSTILE, "▲", status_view.ACT)
    yield from hostile_lists(badge)
    problem = simple(404, "not-found", HOSTILE, HOSTILE)
    yield "refused.html", {"problem": problem, "commands": (HOSTILE,), "back": HOSTILE}


def hostile_lists(badge: status_view.Badge) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pages of many things, and of what is in them."""
    row = lists.Row(HOSTILE, badge, HOSTILE, HOSTILE, HOSTILE)
    orphan = lists.Orphan(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    many: dict[str, Any] = {"rows": [row], "orphans": [orphan], "unknown": [HOSTILE]}
    many |= {"stays": [HOSTILE], "environments": [HOSTILE], "env": HOSTILE, "most": 1}
    yield "rollbacks.html", many
    of = services.Row(HOSTILE, HOSTILE, HOSTILE, HOSTILE, services.Ready(badge, HOSTILE))
    held = freezes.Row(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    frozen = freezes.Frozen([held], [HOSTILE])
    yield "services.html", {"rows": [of], "frozen": frozen}
    one = services.ReleaseShown(HOSTILE, badge, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    page: dict[str, Any] = {"row": of, "evidence": [HOSTILE], "releases": [one], "frozen": frozen}
    yield "service.html", page
    yield "incidents.html", {"rows": [incidents.Row(HOSTILE, badge, HOSTILE, HOSTILE)], "most": 1}
    known = incident(evidence(words=HOSTILE))
    refused = (Refused(refusal=Refusal.STALE, because=HOSTILE),)
    told = IncidentStatus(
        incident=known, because=HOSTILE, decision=decide(facts(), POLICY), refused=refused
    )
    page = {"id": HOSTILE, "badge": badge, "since": HOSTILE, "because": HOSTILE}
    page |= {"rollback": HOSTILE, "asks": True, "commands": (HOSTILE,)}
    page |= {"sections": tuple(incidents.sections(SeenIncident(status=told)))}
    yield "incident.html", page


@pytest.mark.parametrize(("template", "values"), list(hostile_pages()), ids=lambda v: str(v)[:12])
def test_nothing_that_is_quoted_becomes_a_page(template: str, values: dict[str, Any]) -> None:
    shell = rendered.Shell(
        HOSTILE, HOSTILE, is_signed_in=True, can_sign_in=True, token=HOSTILE, id=HOSTILE, here="/"
    )
    text = bytes(rendered.part(template, shell=shell, **values).body).decode()
    read = Read(text)
    drawn = ("pictures", "evidence") if template == "rollback.html" else ("pictures",)
    pictures = sum(len(values.get(name, ())) for name in drawn)
    assert read.tags.count("img") == pictures
    assert read.tags.count("script") == (1 if template == "rollback.html" else 0)
    assert read.handlers == []
    assert "{{ 7 * 7 }}" in text
    assert not {char for char in text if ord(char) < 32 and char != "\n"} | (set(text) & {"\u202e"})
