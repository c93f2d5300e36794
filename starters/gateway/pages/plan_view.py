"""The plan for a page: everything that a person must know before agreeing. Pure."""

from collections.abc import Iterator

from rollback_manager.gates import GateAnswer
from rollback_manager.plan import Action, Found, RollbackPlan, ServicePlan
from rollback_manager.rendering import terminal_fleet, terminal_plan, words
from rollback_manager.rendering.layout import foreign
from rollback_manager.rendering.report_parts import Section, Table

FEW = 10
"""Services whose steps are shown one by one; of a fleet the steps are said once for all."""
GATE_SHAPES = {
    GateAnswer.PASSED: "●",
    GateAnswer.FAILED: "✕",
    GateAnswer.INCONCLUSIVE: "▲",
    GateAnswer.NOT_APPLICABLE: "○",
}


def sections(made: RollbackPlan) -> tuple[Section, ...]:
    """What is live, what will be done, what it rests on, what may be wrong, what stays."""
    return (
        Section("What goes back", _made(made), (_services(made),)),
        Section("Why, and what may be wrong", tuple(_why(made)), (_gates(made),)),
        *_steps(made),
        Section("How long, and when it stops", tuple(_limits(made))),
        Section("What will not be undone", tuple(_stays(made))),
    )


def by_hand(made: RollbackPlan) -> tuple[str, ...]:
    """The commands for a day without Temporal."""
    return tuple(terminal_plan.by_hand(made).splitlines())


def _made(made: RollbackPlan) -> tuple[str, ...]:
    valid = words.duration(made.plan_valid_s)
    tier = f"Tier {made.tier or words.UNKNOWN}: {foreign(made.tier_because) or words.UNKNOWN}."
    return f"Made {words.clock(made.made_at)}, valid {valid}, void on any drift.", tier


def _services(made: RollbackPlan) -> Table:
    wave_of = {name: str(number) for number, wave in enumerate(made.waves, 1) for name in wave}
    rows = tuple(
        (
            one.service,
            wave_of.get(one.service, words.UNKNOWN),
            f"{one.from_version} {words.image(one.from_digest)}",
            f"{one.to_version} {words.image(one.to_digest)}",
            one.strategy,
            f"floor {one.floor} of {one.desired}",
            "".join(terminal_plan.standing(terminal_plan.seen_of(made, one.service), one.floor)),
        )
        for one in made.services
    )
    head = ("service", "wave", "from", "to", "strategy", "floor", "now")
    return Table("Services, and what is live now", head, rows)


def _why(made: RollbackPlan) -> Iterator[str]:
    for one in made.services[:FEW]:
        seen = terminal_plan.seen_of(made, one.service)
        yield f"{one.service}: {words.failing(seen.bad_reading) if seen else words.UNKNOWN}."
        yield f"Target {one.to_version}: {foreign(one.target_because)}."
        yield from _around(one, seen)
    yield from (f"May be wrong: {doubt}." for doubt in terminal_plan.doubts(made))
    yield from (f"Risk: {foreign(r.risk)}; {foreign(r.mitigation)}." for r in made.risks)


def _around(one: ServicePlan, seen: Found | None) -> Iterator[str]:
    if one.place:
        yield f"Where: {foreign(one.place)}."
    yield from (f"Owner: {foreign(owner)}." for owner in one.owners)
    if seen is not None:
        yield from (f"Measured there: {foreign(said)}." for said in seen.analyses)
        yield from (f"Changed since: {foreign(said)}." for said in seen.drift)
        yield from (f"Back until: {foreign(said)}." for said in seen.until)
        yield from (f"Not asked: {foreign(said)}." for said in seen.not_asked)


def _gates(made: RollbackPlan) -> Table:
    rows = tuple(
        (f"{GATE_SHAPES[g.answer]} {words.GATES[g.answer]}", g.gate, foreign(g.because))
        for g in made.gates
    )
    return Table("Gates", ("answer", "gate", "because"), rows)


def _steps(made: RollbackPlan) -> Iterator[Section]:
    told = made.services if len(made.services) <= FEW else ()
    tables = tuple(_table(one, terminal_plan.seen_of(made, one.service)) for one in told)
    lines = () if told else tuple(terminal_fleet.by_steps(made.services))
    yield Section("Steps", (terminal_plan.LEGEND, *lines), tables)


def _table(one: ServicePlan, seen: Found | None) -> Table:
    rows = tuple(_row(phase.name, action, seen) for phase in one.phases for action in phase.actions)
    head = ("step", "phase", "does", "check", "within", "undo")
    return Table(f"Steps of {one.service}", head, rows)


def _row(phase: str, action: Action, seen: Found | None) -> tuple[str, ...]:
    final = "; POINT OF NO RETURN" if action.point_of_no_return else ""
    return (
        f"{terminal_plan.symbol(action.wanted)} {action.name}",
        phase,
        terminal_plan.change(action.wanted, seen),
        foreign(action.check),
        words.duration(action.timeout_s),
        terminal_plan.undo(action) + final,
    )


def _limits(made: RollbackPlan) -> Iterator[str]:
    expected = made.estimate
    back, well = words.duration(expected.traffic_back_s), words.duration(expected.verified_s)
    yield f"Traffic back in {back}, verified in {well}; source: {foreign(expected.source)}."
    yield f"{terminal_plan.limit(made.time_limit_s).capitalize()}."
    yield f"Abort if: {' · '.join(made.abort_when) or words.UNKNOWN}."
    yield f"Done when: {' · '.join(made.done_when) or words.UNKNOWN}."
    yield f"Point of no return: {', '.join(terminal_plan.no_returns(made)) or 'none'}."
    yield f"Approval: {'; '.join(terminal_plan.approval(made.approval, made.quorum))}."


def _stays(made: RollbackPlan) -> Iterator[str]:
    for one in made.services:
        stays = "; ".join(map(foreign, one.not_undone)) or "unknown: the strategy does not say"
        yield f"{one.service}: {stays}."
