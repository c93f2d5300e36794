"""What a look at a rollback that has ended says, and what is to be looked after."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rollback_manager.actions import hold
from rollback_manager.authority.jws import verify_key
from rollback_manager.conclusion import service_outcome as concluded
from rollback_manager.contract import AbortCommand
from rollback_manager.owners import Owner, OwnerKind, Writer, said, to_hold
from rollback_manager.plan import ActionKind, OwnersHeld, Phase
from rollback_manager.progress import EndState, Found, StepRecord, StepState, end_state
from rollback_manager.rendering.web_ui_stays import what_to_do
from rollback_manager.staying import held
from rollback_manager.stays import (
    OFTEN,
    Check,
    Kept,
    Live,
    Stayed,
    Staying,
    Verdict,
    judge,
    quiet_until,
    remembered,
)
from tests.builders import service_outcome, service_plan, step

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)
HELD = Owner(kind=OwnerKind.ARGO_CD, name="Application argocd/shop")
ARGO, PIPELINE = (Writer(manager=name, at=AT) for name in ("argocd-controller", "pipeline"))
STAYING = Staying(
    env="prod",
    service="shop",
    rollback="rollback/prod/k",
    version="v1",
    digest="sha256:v1",
    bad="v2",
    floor=3,
    epoch=7,
    since=AT,
    checks_s=(10,),
)


def kept(version: str = "v1", **more: object) -> Kept:
    words = {"name": version, "version": version, "digest": f"sha256:{version}", "replicas": 4}
    by = {"template_by": ARGO, "replicas_by": PIPELINE}
    return Kept.model_validate({**words, **by, **more})


def look(*controllers: Kept, shares: dict[str, int] | None = None, ready: int = 4) -> Stayed:
    live = Live(kept=controllers, traffic_by=PIPELINE, epoch=7)
    return judge(STAYING, live, shares or {"v1": 100}, {"v1": ready})


def test_where_words_are_signed_nobody_is_told_to_send_one_that_is_not() -> None:
    assert "--name release_hold" in what_to_do(STAYING, (HELD,))
    key = verify_key(Ed25519PrivateKey.generate(), "now")
    told = what_to_do(STAYING.model_copy(update={"keys": (key,)}), (HELD,))
    assert "temporal workflow signal" not in told
    assert "POST /api/v1/environments/prod/services/shop/hold/release" in told


def test_the_good_version_with_all_traffic_stays() -> None:
    assert look(kept()).verdict is Verdict.STAYS
    assert look(kept(), kept("v2", replicas=0)).verdict is Verdict.STAYS


@pytest.mark.parametrize(
    ("controllers", "shares", "who"),
    [
        ((kept("v2"),), {"v2": 100}, "argocd-controller"),
        ((kept(digest="sha256:v2"),), {"v1": 100}, "argocd-controller"),
        ((kept(replicas=1),), {"v1": 100}, "pipeline"),
        ((kept(), kept("v2")), {"v1": 50, "v2": 50}, "pipeline"),
        ((kept("v2"), kept("v3")), {"v2": 100}, "argocd-controller"),
    ],
    ids=["template", "image under the old label", "scaled down", "traffic", "good one is gone"],
)
def test_whoever_took_it_back_is_named(
    controllers: tuple[Kept, ...], shares: dict[str, int], who: str
) -> None:
    stayed = look(*controllers, shares=shares)
    assert (stayed.verdict, stayed.who, stayed.at) == (Verdict.REVERSED, who, AT)


def test_another_release_or_rollback_takes_over() -> None:
    assert look(kept("v3"), shares={"v3": 100}).verdict is Verdict.SUPERSEDED
    assert look(kept(epoch=8)).verdict is Verdict.SUPERSEDED


def test_too_few_ready_instances_are_no_pass() -> None:
    assert look(kept(), ready=2).verdict is Verdict.CANNOT_TELL


def test_only_those_are_held_that_concern_the_good_version_and_can_be() -> None:
    argo = Owner(kind=OwnerKind.ARGO_CD, name="shop", brings_back="puts its own back")
    of_v2 = Owner(kind=OwnerKind.AUTOSCALER, name="hpa of v2", version="v2")
    helm = Owner(kind=OwnerKind.WRITER, name="helm", not_held_because="not held")
    assert to_hold((argo, of_v2, helm), "v1") == (argo,)
    told = said((argo, of_v2, helm), "v1")
    assert told == (
        "shop puts its own back: held before the first write, given back once it agrees",
        "helm: not held",
    )


def held_after(*steps: StepRecord, owners: tuple[Owner, ...] = (HELD,)) -> tuple[Owner, ...]:
    shop = service_plan()
    phase = Phase(name="hold", actions=(hold(owners, 4, shop.policy),))
    outcome = service_outcome(steps=steps, aborted=True, end=EndState.MIXED)
    return held(shop.model_copy(update={"phases": (phase, *shop.phases)}), outcome)


def test_an_undo_leaves_those_held_whom_an_earlier_rollback_holds() -> None:
    before = HELD.model_copy(update={"held_before": True})
    other = Owner(kind=OwnerKind.AUTOSCALER, name="HorizontalPodAutoscaler shop/shop")
    policy = service_plan().policy
    assert hold((before,), 4, policy).undo is None
    undo = hold((before, other), 4, policy).undo
    assert isinstance(undo, OwnersHeld)
    assert (undo.hold, undo.owners) == (False, (other,))
    done, back = step(ActionKind.HOLD_OWNER, 0, 1), step(ActionKind.HOLD_OWNER, 2, 3, undoes=True)
    assert held_after(done, back, owners=(before, other)) == (before,)


def test_a_hold_that_was_tried_again_before_an_abort_is_looked_after() -> None:
    tried = step(ActionKind.HOLD_OWNER, 0, 1, state=StepState.INCONCLUSIVE)
    done = step(ActionKind.HOLD_OWNER, 1, 2)
    assert held_after(tried, done) == (HELD,)


def test_what_an_undo_gave_back_is_not_held_though_a_seal_came_after_it() -> None:
    done, back = step(ActionKind.HOLD_OWNER, 0, 1), step(ActionKind.HOLD_OWNER, 2, 3, undoes=True)
    assert held_after(done, back) == ()
    assert held_after(done, back, step(ActionKind.PREPARE, 3, 4, undoes=True)) == ()


def test_a_fight_without_end_fills_neither_history_nor_status() -> None:
    assert quiet_until(OFTEN, AT) is None
    later = quiet_until(OFTEN + 1, AT)
    assert later is not None
    assert later > AT
    stayed = look(kept())
    checks = [Check(at=AT, after_s=n, due=n == 0, stayed=stayed) for n in range(OFTEN + 50)]
    left = [one.after_s for one in remembered(checks)]
    assert left == [0, *range(50, OFTEN + 50)]


@pytest.mark.parametrize(
    ("shares", "current", "wrote", "end"),
    [
        ({"v1": 100}, "v1", True, EndState.ROLLED_BACK),
        ({"v2": 100}, "v2", True, EndState.RESTORED),
        ({"v2": 100}, "v1", True, EndState.MIXED),
        ({"v1": 100}, "v2", True, EndState.MIXED),
        ({"v1": 100}, "v2", False, EndState.UNTOUCHED),
    ],
    ids=["back", "as before", "on its way back", "bad one on its way", "never begun"],
)
def test_one_controller_must_want_what_has_the_traffic(
    shares: dict[str, int], current: str, wrote: bool, end: EndState
) -> None:
    found = Found(shares=shares, ready={}, current=current)
    assert end_state(found, "v1", "v2", wrote) is end


def test_an_end_says_who_is_held_still() -> None:
    shop = service_plan()
    phase = Phase(name="hold", actions=(hold((HELD,), 4, shop.policy),))
    outcome = concluded(
        shop.model_copy(update={"phases": (phase, *shop.phases)}),
        found=Found(shares={shop.from_version: 100}, ready={}),
        steps=(step(ActionKind.HOLD_OWNER, 0, 1),),
        abort=AbortCommand(by="anna"),
        halts=(),
        commands=(),
        epoch=1,
    )
    assert outcome.because == "hold by anna; held still: Application argocd/shop"
