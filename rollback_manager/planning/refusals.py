"""Why a rollback that was asked for, or a plan that could be made, is refused. Pure."""

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.may import Facts, unbroken, unconfirmed
from rollback_manager.contract import Planned, RollbackRequest, checked
from rollback_manager.errors import Blocked, PermanentError, StalePlan, TemporaryError
from rollback_manager.fleet.budget import MANUAL
from rollback_manager.gates import GateAnswer
from rollback_manager.glass import Glass
from rollback_manager.plan import RollbackPlan, quotes, short
from rollback_manager.tier import Tier

MOST_BYTES = 900 * 1024
"""Of a plan: it comes back with every service's outcome in one message of Temporal (2 MB)."""


def named(request: RollbackRequest) -> tuple[str, ...]:
    """The services, sorted; each name can be one, and is there once."""
    checked("environment", request.env)
    services = tuple(sorted(checked("service", name) for name in request.services))
    twice = sorted({name for name in services if services.count(name) > 1})
    if services and not twice:
        return services
    raise Blocked(
        f"{', '.join(twice)}: named twice" if twice else "no service is named",
        effect="Production is unchanged.",
        next_step="Name each service once: rollback-manager plan SERVICE … --env ENV",
    )


def must_be_explained(request: RollbackRequest, level: SecurityLevel, late: Glass | None) -> None:
    """What stands for everybody's approval where the glass is broken (security.md §7).

    late: an earlier glass whose review is overdue.
    """
    known = request.model_dump(include={"services", "incident", "reason"})
    typed = request.confirmed or ""
    facts = Facts(level=level, confirmed=typed, overdue=late.rollback if late else "", **known)
    if because := unbroken(facts):
        raise Blocked(
            "the glass is not broken",
            effect="Production is unchanged.",
            next_step=because[0].upper() + because[1:],
        )


def must_be_by_hand(request: RollbackRequest) -> None:
    """The budget knows single causes; so many services at once are a person's decision."""
    if request.trigger == MANUAL:
        return
    raise Blocked(
        f"{len(request.services)} services at once are started by a person alone,"
        f" not by {request.trigger}",
        effect="Production is unchanged.",
        next_step="If it must be: rollback-manager start SERVICE … --trigger manual",
    )


def must_be_asked(request: RollbackRequest) -> None:
    """A review is of one plan; so many services at once are worth a question."""
    if request.break_glass:
        raise Blocked(
            f"the glass is not broken for {len(request.services)} services at once",
            effect="Production is unchanged.",
            next_step="Name fewer of them, those that hurt; or start without --break-glass.",
        )


def must_be_confirmed(request: RollbackRequest, level: SecurityLevel, tier: Tier | None) -> None:
    """Where there is no second person, the first one types the service out (security.md §2)."""
    if request.confirmed is None or level is not SecurityLevel.LOCAL or tier is None:
        return
    if request.break_glass:
        return  # typed out and explained already
    known = request.model_dump(include={"services", "confirmed", "incident", "reason"})
    if because := unconfirmed(tier, Facts(level=level, **known)):
        raise Blocked(
            f"it is {tier} and level local has no second person who would look at it",
            effect="Production is unchanged.",
            next_step=because[0].upper() + because[1:],
        )


def must_be_expected(plan: RollbackPlan, expected: str | None) -> None:
    """Who quotes a plan gets that one, or none."""
    if expected is None or quotes(expected, plan.digest):
        return
    raise StalePlan(
        f"the plan is {short(plan.digest)} now, not {short(expected)}",
        effect="Production is unchanged: nothing is recomputed behind your back.",
        next_step="Look again: rollback-manager plan SERVICE --env ENV",
    )


def must_not_fail(plan: RollbackPlan) -> None:
    """No gate before may say no."""
    failed = [gate for gate in plan.gates if gate.answer is GateAnswer.FAILED]
    if failed:
        raise Blocked(
            "; ".join(f"gate {gate.gate} failed: {gate.because}" for gate in failed),
            effect="Production is unchanged.",
            next_step="Mend what the gate names, then start again.",
        )


def must_fit(plan: RollbackPlan) -> None:
    """The plan can travel, with its end."""
    size = len(plan.model_dump_json())
    if size > MOST_BYTES:
        raise Blocked(
            f"the plan of these {len(plan.services)} services is {size // 1024} KiB;"
            f" at most {MOST_BYTES // 1024} KiB fit one rollback with its end",
            effect="Production is unchanged.",
            next_step="Start several rollbacks, one after the other, each of fewer services.",
        )


def all_of(
    troubles: dict[str, PermanentError | TemporaryError],
) -> PermanentError | TemporaryError:
    """One refusal that names every service; for now, if every one is for now."""
    what = "; ".join(f"{service}: {error.what}" for service, error in troubles.items())
    effect = "Production is unchanged."
    advice = list(dict.fromkeys(error.next_step for error in troubles.values() if error.next_step))
    if all(isinstance(error, TemporaryError) for error in troubles.values()):
        return TemporaryError(what, effect=effect, next_step=" ".join(advice))
    return Blocked(what, effect=effect, next_step=" ".join(advice))


def refused(error: PermanentError | TemporaryError) -> Planned:
    """The answer that is no plan: why, and what to do now."""
    return Planned(
        blocked_because=error.what,
        effect=error.effect or "Production is unchanged.",
        next_step=error.next_step,
        error=type(error).__name__,
    )
