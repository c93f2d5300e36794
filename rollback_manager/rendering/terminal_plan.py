"""The plan on a terminal: what is live, what will be done, what it rests on, what may be wrong."""

from collections.abc import Iterator

from rollback_manager.authority.quorum import Quorum
from rollback_manager.gates import GateAnswer
from rollback_manager.metrics.reading import NoReading
from rollback_manager.plan import (
    Action,
    Drained,
    Found,
    NotWorse,
    Reduced,
    Removed,
    RollbackPlan,
    ServicePlan,
    Split,
    Wanted,
    Well,
    short,
)
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.rendering import terminal_fleet, words
from rollback_manager.rendering.layout import command, foreign, labelled, pad, page
from rollback_manager.tier import Tier

A_ROW = 4
"""Names of services in a row of a command."""

LEGEND = "~ changes   - stops instances   = only reads or waits"


def plan(made: RollbackPlan) -> str:
    """All that a person must know before agreeing, and the command that agrees to just this."""
    alone = len(made.services) == 1
    services = made.services[0].service if alone else f"{len(made.services)} services"
    valid = words.duration(made.plan_valid_s)
    lines = [
        f"plan {short(made.digest)} for {services} in {made.env}, valid {valid}, void on any drift",
        f"made {words.clock(made.made_at)}   security: {made.security}",
    ]
    if not alone:
        lines += ["", *terminal_fleet.planned(made)]
    for service in made.services if alone else ():
        lines += ["", *_service(service, seen_of(made, service.service))]
    lines += ["", *_agreement(made), "", *_next(made)]
    return page(lines)


def is_typed_out(made: RollbackPlan) -> bool:
    """Whether a service is typed out to start it: there is no second person (security.md §2)."""
    return made.security == "local" and made.tier is not None and made.tier >= Tier.T2


def by_hand(made: RollbackPlan) -> str:
    """The commands for a day without Temporal. Not wrapped: they are to be pasted."""
    commands = [command for seen in made.found for command in seen.by_hand]
    return page(commands, columns=100_000) if commands else "# unknown: the plan has no commands"


def seen_of(made: RollbackPlan, service: str) -> Found | None:
    """What planning saw of the service, if it looked."""
    return next((seen for seen in made.found if seen.service == service), None)


def _service(service: ServicePlan, seen: Found | None) -> Iterator[str]:
    floor = f"floor {service.floor} of {service.desired}"
    versions = f"{service.from_version} → {service.to_version}"
    yield f"{service.service}   {versions}   {service.strategy} · {floor}"
    digests = f"{words.image(service.from_digest)} → {words.image(service.to_digest)}"
    yield from labelled("", [digests])
    if service.place:
        yield from labelled("WHERE", [foreign(service.place)])
    yield from labelled("TARGET", [f"{service.to_version}: {foreign(service.target_because)}"])
    yield from labelled("WHY", [words.failing(seen.bad_reading) if seen else words.UNKNOWN])
    yield from labelled("NOW", standing(seen, service.floor))
    if service.owners:
        yield from labelled("OWNERS", [foreign(one) for one in service.owners])
    yield from labelled("STEPS", [LEGEND])
    for phase in service.phases:
        yield f"  {phase.name}"
        for action in phase.actions:
            yield from _action(action, seen)
    if seen is not None and seen.analyses:
        yield from labelled("MEASURED THERE", _told(seen.analyses, ""), indent=15)
    yield from labelled("NOT UNDONE", service.not_undone or ["unknown: the strategy does not say"])
    if seen is not None and seen.not_asked:
        yield from labelled("CHANGED SINCE", _told(seen.drift, "nothing that was asked"), indent=15)
        yield from labelled("BACK UNTIL", _told(seen.until, "nothing ends it that was asked"))
        yield from labelled("NOT ASKED", _told(seen.not_asked, ""))


def _told(sentences: tuple[str, ...], otherwise: str) -> list[str]:
    return [foreign(one) for one in sentences] or [otherwise]


def standing(seen: Found | None, floor: int) -> list[str]:
    """Who has the traffic, and what is ready, as planning saw it."""
    if seen is None:
        return [words.UNKNOWN]
    traffic, ready = words.by_version(seen.shares, "%"), words.by_version(seen.ready)
    return [f"traffic {traffic} · ready {ready} (floor {floor})"]


def _action(action: Action, seen: Found | None) -> Iterator[str]:
    within = f"within {words.duration(action.timeout_s)}"
    yield f"  {symbol(action.wanted)} {pad(action.name, 17)} {change(action.wanted, seen)}"
    yield pad("", 22) + f"{within} · check: {foreign(action.check)}"
    yield pad("", 22) + undo(action)
    if action.point_of_no_return:
        yield pad("", 22) + "POINT OF NO RETURN: what follows cannot be undone"


def symbol(wanted: Wanted) -> str:
    """The mark of LEGEND for what an action does."""
    match wanted:
        case Removed() | Reduced():
            return "-"
        case Drained() | Well() | NotWorse():
            return "="
        case _:
            return "~"


def change(wanted: Wanted, seen: Found | None) -> str:
    """What an action brings about; of traffic also what was there before."""
    if isinstance(wanted, Split) and seen is not None:
        before = seen.shares.get(wanted.version, 0)
        return f"{wanted.version} gets {before} → {wanted.shares.get(wanted.version, 0)} %"
    return words.wanted(wanted)


def undo(action: Action) -> str:
    """How it is put back, or why it is not."""
    if action.undo is not None:
        return f"undo: {words.wanted(action.undo)}"
    return f"no undo: {action.no_undo_because or words.UNKNOWN}"


def _agreement(made: RollbackPlan) -> Iterator[str]:
    expected = made.estimate
    back, well = words.duration(expected.traffic_back_s), words.duration(expected.verified_s)
    time = f"traffic back in {back}, verified in {well}"
    yield from labelled("TIME", [time, f"source: {expected.source}", limit(made.time_limit_s)])
    yield from labelled("GATES", [_gate(made, index) for index in range(len(made.gates))])
    yield from labelled("MAY BE WRONG", doubts(made), indent=15)
    yield from labelled("ABORT IF", [" · ".join(made.abort_when) or words.UNKNOWN])
    yield from labelled("DONE WHEN", [" · ".join(made.done_when) or words.UNKNOWN])
    risks = [f"{foreign(risk.risk)}: {foreign(risk.mitigation)}" for risk in made.risks]
    yield from labelled("RISKS", risks or ["none is known to the strategy"])
    yield f"POINT OF NO RETURN  {', '.join(no_returns(made)) or 'none'}"
    if made.tier is not None:
        yield from labelled("TIER", [f"{made.tier}: {foreign(made.tier_because)}"])
    yield from labelled("APPROVAL", list(approval(made.approval, made.quorum)))


def no_returns(made: RollbackPlan) -> list[str]:
    """The actions after which there is no way back."""
    several = len(made.services) > 1
    return [
        f"{service.service}: {action.name}" if several else action.name
        for service in made.services
        for action in service.actions
        if action.point_of_no_return
    ]


def limit(seconds: float) -> str:
    """How long all of it may take."""
    return f"limit for all: {words.duration(seconds)}"


def _gate(made: RollbackPlan, index: int) -> str:
    gate = made.gates[index]
    return f"{pad(words.GATES[gate.answer], 7)}  {gate.gate}: {foreign(gate.because)}"


def doubts(made: RollbackPlan) -> list[str]:
    """What the decision rests on without proof; never left out, so that silence means none."""
    unclear = [
        f"{gate.gate} is {gate.answer}"
        for gate in made.gates
        if gate.answer in {GateAnswer.INCONCLUSIVE, GateAnswer.FAILED}
    ]
    unread = [
        f"{seen.service}: nothing was measured"
        for seen in made.found
        if isinstance(seen.bad_reading, NoReading)
    ]
    return [*unclear, *unread] or ["nothing is known that speaks against it"]


def approval(policy: ApprovalPolicy, quorum: Quorum | None) -> Iterator[str]:
    """Whether people must agree, until when, and what silence means."""
    if not policy.required:
        yield "policy asks for none: it starts at once"
    else:
        people = "a person" if quorum is None or quorum.votes < 2 else f"{quorum.votes} people"
        until = words.duration(policy.deadline_s)
        yield f"{people} must agree within {until}; unanswered: {policy.on_expiry}"
    if quorum is not None and quorum.because:
        yield foreign(quorum.because)
    if policy.required and quorum is not None and 0 < quorum.escalate_s < policy.deadline_s:
        yield f"unanswered after {words.duration(quorum.escalate_s)}: more people are told"


def _next(made: RollbackPlan) -> Iterator[str]:
    names = [service.service for service in made.services]
    env, expected = f"--env {made.env}", f"--expect-plan {words.quoted(made.digest)}"
    typed = [f"--confirm {names[0]}"] if is_typed_out(made) else []
    yield from command("next:  ", *_called("start", names, env), expected, *typed)
    yield "no Temporal?"
    yield from command("  ", *_called("plan", names, env), "--as-commands")


def _called(verb: str, names: list[str], env: str) -> list[str]:
    """The command in parts, at each of which it may be continued on a new line."""
    if len(names) == 1:
        return [f"rollback-manager {verb} {names[0]} {env}"]
    rows = [" ".join(names[at : at + A_ROW]) for at in range(0, len(names), A_ROW)]
    return [f"rollback-manager {verb} {rows[0]}", *rows[1:], env]
