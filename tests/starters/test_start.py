"""Starting: what is agreed to, by whom, and on which evidence."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client

from rollback_manager.contract import Planned, RollbackRequest
from rollback_manager.errors import Blocked
from rollback_manager.plan import Part
from rollback_manager.progress import EndState, Result, RollbackStatus, ServiceStatus, State
from rollback_manager.rendering import terminal_status
from rollback_manager.tier import Tier
from starters import console, refusals
from starters.decide import Beside, _asked, _must_be_typed, _to_be_typed
from starters.evidence import MOST_BYTES, evidence
from starters.refusals import UsageError
from starters.secured import must_go_by_the_gateway
from starters.start import _typed_out
from tests.builders import plan
from tests.rig import Rig, rig

POINT = {"at": "2026-03-01T14:00:00Z", "requests": {"v2": 80}, "errors": {"v2": 9}}


@pytest.mark.parametrize(
    ("typed", "agreed"), [("yes\n", True), ("YES\n", True), ("y\n", False), ("\n", False)]
)
def test_only_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, typed: str, agreed: bool) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert console.agreed("Roll back?") is agreed


def test_evidence_is_read_second_by_second(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps([POINT]))
    (point,) = evidence(file)
    assert point.errors == {"v2": 9}
    assert evidence(None) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "top: "),
        (json.dumps([{**POINT, "more": 1}]), "0.more: "),
        (" " * (MOST_BYTES + 1), "larger than 256 KiB"),
    ],
)
def test_evidence_of_another_shape_is_a_usage_error(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=why):
        evidence(file)


def test_a_plan_in_parts_is_told_as_what_it_is() -> None:
    parts = (
        Part(key="k-p1", wave=1, services=("a", "b")),
        Part(key="k-p2", wave=2, services=("c",)),
    )
    with pytest.raises(Blocked, match="3 services are more than one plan can hold") as told:
        refusals.made(Planned(parts=parts))
    assert "--confirm" in told.value.next_step


async def test_from_t2_on_one_person_alone_types_the_service_out(made: Rig) -> None:
    """At level local, where no rehearsal is known and so each plan is T2."""
    refused = await made.start(confirmed="")
    outcome = await refused.result()
    assert outcome.result is Result.BLOCKED
    assert "no second person" in outcome.because
    assert outcome.next_step == f"Type the service out: --confirm={made.service}"
    assert not made.world.ledger
    typed = await made.start(confirmed=made.service)
    assert (await made.ends_as(typed, EndState.ROLLED_BACK)).result is Result.VERIFIED


@pytest.mark.parametrize(
    ("said", "confirmed"), [("shop\n", "shop"), ("yes\n", None), ("\n", None), ("till\n", None)]
)
def test_a_service_is_typed_out_or_it_is_no(
    monkeypatch: pytest.MonkeyPatch, said: str, confirmed: str | None
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    asked = RollbackRequest(env="demo", services=("shop",), key="k", requested_by="local:x")
    assert _typed_out(asked) == confirmed


@pytest.mark.parametrize(
    ("said", "agreed"), [("shop\n", True), ("yes\n", False), ("\n", False), ("till\n", False)]
)
def test_who_approves_at_a_terminal_is_asked_to_type_the_service_out(
    monkeypatch: pytest.MonkeyPatch, said: str, agreed: bool
) -> None:
    waits = RollbackStatus(
        rollback="rollback/demo/k",
        env="demo",
        state=State.WAITING_FOR_APPROVAL,
        tier=Tier.T2,
        services=(
            ServiceStatus(
                rollback="rollback/demo/k",
                service="shop",
                state=State.WAITING_FOR_APPROVAL,
                from_version="v2",
                to_version="v1",
                steps=(),
            ),
        ),
    )
    services = _to_be_typed("approve", waits, Beside())
    assert services == ("shop",)
    assert _to_be_typed("reject", waits, Beside()) == ()
    assert _to_be_typed("approve", waits, Beside(confirm="shop")) == ()
    assert _to_be_typed("approve", waits.model_copy(update={"tier": Tier.T1}), Beside()) == ()
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    assert _asked("approve", services, None) == (agreed, said.strip())


async def test_one_person_alone_types_the_service_out_to_approve_as_well(
    client: Client, tmp_path: Path
) -> None:
    policy: dict[str, object] = {"approval": {"required": True, "deadline_s": 30}}
    async with rig(client, tmp_path, cached=1000, policy=policy) as made:
        rollback = await made.start()
        status = await made.until(rollback, State.WAITING_FOR_APPROVAL)
        shown = terminal_status.status(status, datetime.now(UTC))
        assert f"--confirm {made.service}" in " ".join(shown.split())
        with pytest.raises(UsageError, match="it is T2, and nobody else looks at it") as refused:
            await _must_be_typed(rollback, Beside())
        assert f"--confirm={made.service}" in refused.value.next_step
        await _must_be_typed(rollback, Beside(confirm=made.service))
        await made.approve(rollback)
        await made.ends_as(rollback, EndState.ROLLED_BACK)


@pytest.mark.parametrize(
    ("security", "gateway", "refused"),
    [("local", "", False), ("secured", "", True), ("secured", "https://g.example.com", False)],
)
def test_where_only_the_gateway_starts_that_is_said_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch, security: str, gateway: str, refused: bool
) -> None:
    monkeypatch.setenv("ROLLBACK_GATEWAY", gateway)
    made = plan(security=security)
    if not refused:
        must_go_by_the_gateway(made)
        return
    with pytest.raises(Blocked, match="only as the gateway signed it") as error:
        must_go_by_the_gateway(made)
    assert "ROLLBACK_GATEWAY=" in error.value.next_step
