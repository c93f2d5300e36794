"""Where starts are signed only what the gateway signed begins, and only as it was signed."""

import time
from typing import Any

from rollback_manager.authority.origin import Origin
from rollback_manager.contract import RollbackRequest
from rollback_manager.progress import Result, State
from tests.rig import Rig
from tests.secured import SecuredRig, begun, secured_rig

ANA, CY = "ana@example.com", "cy@example.com"


def made_with(request: RollbackRequest, **words: Any) -> RollbackRequest:
    """Changed after it was signed."""
    return request.model_copy(update=words)


def bad(made: SecuredRig) -> dict[str, tuple[RollbackRequest, str]]:
    """By name: a start that must not count, and the words of the refusal."""

    def one() -> RollbackRequest:
        return made.request(requested_by=CY)

    now = time.time()
    own = Origin(rollback="x", run="y", parent=f"incident/test/{made.service}/v2", at="2026-01-01")  # type: ignore[arg-type]
    changed = "something of it was changed"
    other = begun(one()).token
    return {
        "unsigned": (one(), "it is not signed"),
        "says itself that an incident began it": (
            made_with(one(), origin=own, requested_by=own.parent, incident=own.parent),
            "it is not signed",
        ),
        "nothing that can be read": (made_with(one(), **{"token": "x.y.z"}), "cannot be read"),
        "another rollback": (made_with(one(), token=other), "another rollback"),
        "another environment": (begun(one(), aud="rollback-manager/stage"), "another environment"),
        "another name": (made_with(begun(one()), requested_by=ANA), "somebody else"),
        "the glass": (made_with(begun(one()), break_glass=True), changed),
        "another reason": (made_with(begun(one()), reason="because"), changed),
        "another target": (made_with(begun(one()), to_version="v0"), changed),
        "another incident": (made_with(begun(one()), incident="inc-9"), changed),
        "nobody is asked": (made_with(begun(one()), votes=1), changed),
        "expired": (begun(one(), at=now - 121), "had ended"),
        "from the future": (begun(one(), at=now + 90), "in the future"),
        "for a day": (begun(one(), exp=int(now) + 86_400), "longer than a start may count"),
        "a key that nobody named": (begun(one(), kid="stranger"), "a key that this rollback"),
        "groups that were not hashed": (begun(one(), groups_hash="0" * 64), "groups"),
        "without an id": (begun(one(), jti=" "), "has no id"),
    }


async def test_every_start_that_was_not_signed_for_just_this_ends_untouched_and_says_why(
    unmanned: Rig,
) -> None:
    async with secured_rig(unmanned).at_work() as made:
        assert isinstance(made, SecuredRig)
        for name, (request, because) in bad(made).items():
            outcome = await (await made.rollbacks.start(request)).result()
            assert outcome.result is Result.BLOCKED, name
            assert because in outcome.because, (name, outcome.because)
            assert "nothing was touched" in outcome.effect
            assert "ROLLBACK_GATEWAY" in outcome.next_step
        assert not made.world.ledger
        rollback = await made.start(requested_by=CY)
        assert (await made.until(rollback, State.WAITING_FOR_APPROVAL)).security == "secured"
