"""What pages say, from models alone: the words of the command line, with nothing left out."""

from datetime import timedelta

import pytest

from rollback_manager.authority.may import Verb
from rollback_manager.authority.people import Kind, Person
from rollback_manager.contract import AbortMode
from rollback_manager.decision.engine import decide
from rollback_manager.incidents.incident import Status
from rollback_manager.incidents.incident_status import IncidentStatus, SeenIncident
from rollback_manager.plan import RollbackPlan
from rollback_manager.progress import (
    EndState,
    Found,
    Result,
    RollbackStatus,
    ServiceStatus,
    State,
    StepState,
    StepStatus,
)
from rollback_manager.release import Release, Standing
from rollback_manager.rendering import consequences, terminal_incident, terminal_plan, words
from rollback_manager.tier import Tier
from starters.gateway.last_plans import MOST, LastPlans
from starters.gateway.pages import asking, incidents, plan_view, status_view, ways
from starters.gateway.pages.services import evidence, readiness
from starters.gateway.seal import Seal
from tests import builders as b
from tests.incidents import POLICY, facts, incident
from tests.rig import release

ANA = Person(subject="ana@example.com", method="web")
OPERATOR = Person(subject="local:tester", kind=Kind.LOCAL)


def service(name: str = "shop", **changes: object) -> ServiceStatus:
    made = ServiceStatus(
        rollback=b.PARENT,
        service=name,
        state=State.RUNNING,
        from_version="v2",
        to_version="v1",
        found=Found(shares={"v1": 66, "v2": 34}, ready={"v1": 2, "v2": 2}),
        steps=(StepStatus(name="prepare", target="2 × v1 ready", state=StepState.DONE),),
    )
    return made.model_copy(update=changes)


def status(**changes: object) -> RollbackStatus:
    made = RollbackStatus(
        rollback=b.PARENT,
        env="demo",
        state=State.RUNNING,
        digest=b.plan().digest,
        requested_by="local:operator",
        services=(service(),),
    )
    return made.model_copy(update=changes)


def fleet(count: int) -> RollbackPlan:
    one = b.service_plan()
    services = tuple(one.model_copy(update={"service": f"s{n}"}) for n in range(count))
    return b.plan(services=services, waves=(tuple(s.service for s in services),))


@pytest.mark.parametrize("state", State)
def test_every_state_is_a_word_and_a_shape(state: State) -> None:
    badge = status_view.badge(status(state=state, services=()))
    assert badge.word == words.STATES[state]
    assert badge.shape
    assert status_view.listed(str(state)) == badge


@pytest.mark.parametrize("state", StepState)
def test_every_state_of_a_step_is_a_word_and_a_shape(state: StepState) -> None:
    assert status_view.STEP_SHAPES[state][0]


@pytest.mark.parametrize("result", Result)
@pytest.mark.parametrize("end", EndState)
def test_an_end_that_asks_for_somebody_looks_like_it(result: Result, end: EndState) -> None:
    ended = b.outcome(result=result, services=(b.service_outcome(end=end),))
    badge = status_view.badge(status(state=State.FINISHED, outcome=ended))
    assert badge.word == str(result).replace("_", " ").upper()
    if result is not Result.VERIFIED:
        assert badge.kind != status_view.GOOD
    if end in {EndState.MIXED, EndState.UNKNOWN} and result is not Result.VERIFIED:
        assert badge.shape == "▲"


def test_what_is_read_aloud_has_no_running_figures() -> None:
    first = status_view.status(status(), b.at(10))
    later = status_view.status(status(), b.at(75))
    assert first.sentence == later.sentence == "RUNNING. shop: traffic v1 66 %, v2 34 %."


def test_the_page_of_a_fleet_tells_in_full_only_where_something_happens() -> None:
    many = tuple(service(f"s{n}", state=State.WAITING_FOR_ITS_WAVE) for n in range(30))
    shown = status_view.status(status(services=(service(), *many)), b.at(10))
    assert [one.service for one in shown.services] == ["shop"]
    assert shown.others[0].startswith("WAITING FOR ITS WAVE: s0, s1")


def test_an_approval_says_how_far_it_reaches() -> None:
    told = consequences.approving(b.plan())
    assert told[0] == (
        "Blast radius: 1 service in demo, 2 instances; at least 2 of them stay ready (floor)."
    )
    assert "shop: all traffic goes from v2 back to v1, which has 0 % of it now" in told[1]
    assert "Not undone: data that the bad version wrote stays." in told
    assert told[-1] == "Point of no return: none."


def test_of_a_fleet_a_few_are_named_and_all_are_counted() -> None:
    told = consequences.approving(fleet(20))
    assert "20 services" in told[0]
    assert "40 instances" in told[0]
    assert "17 more services go back, in 1 wave." in told
    assert "Steps" in [section.title for section in plan_view.sections(fleet(20))]


@pytest.mark.parametrize("mode", AbortMode)
def test_every_abort_says_how_far_it_reaches(mode: AbortMode) -> None:
    for now_is in (status(), status(state=State.WAITING_FOR_APPROVAL)):
        told = consequences.aborting(now_is, mode)
        assert told[0].startswith("Blast radius: ")
    running = " ".join(consequences.aborting(status(), mode))
    assert ("called bad" in running) is (mode is AbortMode.RESTORE)
    waiting = consequences.aborting(status(state=State.WAITING_FOR_APPROVAL), mode)
    assert waiting[1] == "The rollback ends as ABORTED, and production stays as it is."


def test_a_rejection_says_that_the_bad_release_stays() -> None:
    assert "shop stays on v2: that was called bad." in consequences.rejecting(status())


@pytest.mark.parametrize(
    ("tier", "person", "needs"),
    [
        (None, OPERATOR, ("", False, 0, False)),
        (Tier.T1, OPERATOR, ("", False, 0, False)),
        (Tier.T2, OPERATOR, ("shop", False, 0, False)),
        (Tier.T3, OPERATOR, ("shop", True, 20, False)),
        (Tier.T1, ANA, ("", False, 0, False)),
        (Tier.T2, ANA, ("shop", False, 0, True)),
        (Tier.T3, ANA, ("shop", False, 0, True)),
        (Tier.T3, ANA.model_copy(update={"method": "web+mfa"}), ("shop", False, 0, False)),
    ],
)
def test_the_tier_says_what_a_yes_needs_beside_the_click(
    tier: Tier | None, person: Person, needs: tuple[str, bool, int, bool]
) -> None:
    assert asking.confirmed(status(tier=tier), None, person) == needs
    assert asking.question(status(tier=tier), b.plan()).twice is bool(needs[0])


def test_the_plan_says_the_tier_where_the_rollback_does_not() -> None:
    plan = b.plan(tier=Tier.T2, tier_because="no fresh rehearsal")
    asked = asking.question(status(), plan)
    assert (asked.tier, asked.tier_because, asked.twice) == ("T2", "no fresh rehearsal", True)
    assert "Tier T2: no fresh rehearsal." in plan_view.sections(plan)[0].lines


def test_what_is_missing_is_said_in_sentences() -> None:
    asked = asking.confirmed(status(tier=Tier.T3), None, OPERATOR)
    assert asking.missing(asked, "", "", "short") == [
        "Type the name of the service to confirm: shop.",
        "Name the incident that this belongs to.",
        "Give a reason of at least 20 characters.",
    ]
    assert asking.missing(asked, "shop", "inc-1", "checkout answers 500 to all") == []


def test_the_question_is_another_one_when_the_plan_is() -> None:
    waiting = status(state=State.WAITING_FOR_APPROVAL)
    first = asking.question(waiting, b.plan())
    assert first.key == asking.question(waiting, b.plan()).key
    for change in ({"digest": "0" * 64}, {"nonce": "n-2"}, {"state": State.RUNNING}):
        other = waiting.model_copy(update=change)
        assert asking.question(other, b.plan()).key != first.key


def releases(*standings: Standing) -> list[Release]:
    """v1 the oldest."""
    made = [release(f"v{n}", standing, 100 - n) for n, standing in enumerate(standings, start=1)]
    return made[::-1]


def test_readiness_is_the_plans_own_rule() -> None:
    assert readiness([]).badge.word == "not ready"
    assert readiness(releases(Standing.BAD, Standing.CANDIDATE)).badge.word == "not ready"
    ready = readiness(releases(Standing.VERIFIED, Standing.BAD, Standing.CANDIDATE))
    assert ready.badge.word == "ready"
    assert ready.because.startswith("from v3 back to v1: newest verified release")
    bare = [
        one.model_copy(update={"restore_point": None}) for one in releases(*[Standing.VERIFIED] * 2)
    ]
    assert readiness(bare).badge.word == "unsure"
    assert "nothing is frozen" in evidence(bare, pair_tested=True)[1]


@pytest.mark.parametrize("status", Status)
def test_an_incident_is_told_in_the_words_of_the_command_line(status: Status) -> None:
    known = incident().model_copy(update={"status": status})
    told = IncidentStatus(incident=known, because="it is worse", decision=decide(facts(), POLICY))
    for ended in ("", "completed"):
        seen = SeenIncident(status=told, ended=ended)
        badge = incidents.badge(seen)
        assert badge.word == terminal_incident.state(seen)
        assert badge.shape == ("◇" if seen.asks else "■" if ended else "▶")
    evidence, decision = incidents.sections(SeenIncident(status=told))
    assert "v2 fails 25 of 100 requests" in evidence.tables[0].rows[0]
    assert decision.lines[0].startswith("ROLLBACK by rule_based, confidence 0.95")


def test_a_seal_is_for_one_purpose_and_one_time() -> None:
    seal, now = Seal(), b.at(0)
    text = seal.sealed("form", {"sub": "ana"}, now + timedelta(minutes=1))
    opened = seal.opened("form", text, now)
    assert opened is not None
    assert opened["sub"] == "ana"
    assert seal.opened("said", text, now) is None
    assert seal.opened("form", text, now + timedelta(minutes=1)) is None
    assert seal.opened("form", text[:-2], now) is None
    assert Seal().opened("form", text, now) is None
    assert seal.opened("form", "x" * 9000, now) is None


def test_commands_of_the_last_plans_are_kept_and_of_old_ones_forgotten() -> None:
    plans = LastPlans()
    for number in range(MOST + 1):
        plans.keep(f"rollback/demo/k-{number}", b.plan())
    assert plans.by_hand("rollback/demo/k-0") == ()
    assert plans.by_hand(f"rollback/demo/k-{MOST}")[0].startswith("curl -X POST")


def test_the_plan_on_a_page_says_all_that_the_terminal_says() -> None:
    plan = b.plan()
    page = " ".join(
        " ".join((*one.lines, *(cell for t in one.tables for row in t.rows for cell in row)))
        for one in plan_view.sections(plan)
    )
    agreed = terminal_plan.approval(plan.approval, plan.quorum)
    for doubt in (*terminal_plan.doubts(plan), *agreed):
        assert doubt in page
    for action in plan.services[0].actions:
        assert action.name in page
        assert terminal_plan.undo(action) in page
    for gate in plan.gates:
        assert gate.because in page


def everybody(verb: Verb) -> str:
    return ""


def stuck(name: str = "shop", **changes: object) -> ServiceStatus:
    """A service whose drain waits for a person; what was put back afterwards is stuck as well."""
    steps = (
        StepStatus(name="redirect_traffic", target="all to v1", state=StepState.DONE),
        StepStatus(name="drain", target="no request on v2", state=StepState.FAILED),
        StepStatus(name="clean_up", target="v2 gone"),
        StepStatus(name="check_slice", target="the last good weights", state=StepState.FAILED),
    )
    says = "v2: not put back; drain failed: 3 in flight. Send retry_step, skip_step or abort"
    asks = {"state": State.NEEDS_HUMAN, "nonce": f"n-{name}", "waits_for": says, "steps": steps}
    return service(name, **(asks | changes))


def test_what_fits_the_moment_is_offered_and_nothing_else() -> None:
    def paths(now_is: RollbackStatus) -> list[str]:
        return [one.path for one in ways.ways(now_is, everybody)]

    assert paths(status()) == ["pause"]
    assert paths(status(services=(service(state=State.PAUSED),))) == ["resume"]
    some = (service(), service("b", state=State.PAUSED))
    assert paths(status(services=some)) == ["resume"], "the pause is on its way to the other one"
    assert paths(status(services=(stuck(),))) == ["retry-step", "skip-step"]
    assert paths(status(services=(stuck(), service("b")))) == ["retry-step", "skip-step", "pause"]
    assert paths(status(services=())) == ["pause", "resume"], "its parts know whether they wait"
    for state in (State.PLANNING, State.HELD, State.WAITING_FOR_APPROVAL, State.RESTORING):
        assert paths(status(state=state, services=(service(state=state),))) == []
    ended = b.outcome(services=(b.service_outcome(),))
    assert paths(status(state=State.FINISHED, outcome=ended, services=(stuck(),))) == []
    unsaid = stuck(nonce="")  # as the rollback tells it where the service does not answer
    assert paths(status(services=(unsaid,))) == []


def test_each_step_that_waits_has_its_own_question() -> None:
    two = status(state=State.NEEDS_HUMAN, nonce="", services=(stuck("a"), stuck("b")))
    found = ways.ways(two, everybody)
    assert [(one.path, one.service, one.step, one.nonce) for one in found] == [
        ("retry-step", "a", "drain", "n-a"),
        ("skip-step", "a", "drain", "n-a"),
        ("retry-step", "b", "drain", "n-b"),
        ("skip-step", "b", "drain", "n-b"),
    ]
    other = two.model_copy(update={"services": (stuck("a"), stuck("b", nonce="n-c"))})
    assert ways.key(ways.ways(other, everybody)) != ways.key(found)


@pytest.mark.parametrize(
    ("says", "step", "paths"),
    [
        ("wave-2: b ended mixed; c untouched.", "wave-2", ["retry-step", "skip-step"]),
        ("a was not tried again; wave-1: b ended.", "wave-1", ["retry-step", "skip-step"]),
        ("part-3: not_verified: users are not well.", "part-3", ["retry-step", "skip-step"]),
    ],
)
def test_a_wave_or_a_part_that_waits_has_the_question_of_the_rollback(
    says: str, step: str, paths: list[str]
) -> None:
    asked = status(state=State.NEEDS_HUMAN, nonce="n-0", waits_for=says, services=())
    found = ways.ways(asked, everybody)
    assert [(one.path, one.service, one.step, one.nonce) for one in found] == [
        (path, "", step, "n-0") for path in paths
    ]


def test_every_way_says_first_how_far_it_reaches_and_who_may_not_why() -> None:
    for now_is in (status(), status(services=(service(state=State.PAUSED), stuck("b")))):
        for way in ways.ways(now_is, lambda verb: f"bo may not {verb}"):
            assert way.does[0].startswith("Blast radius: ")
            assert way.may_not == f"bo may not {way.path.replace('-', '_')}"
    retry, skip = ways.ways(status(services=(stuck(),)), everybody)
    assert "drain is tried once more (no request on v2)" in " ".join(retry.does)
    assert "The next step begins at once: clean_up (v2 gone)." in skip.does
    verify = StepStatus(name="verify", target="users are well", state=StepState.INCONCLUSIVE)
    asked = stuck(steps=(verify,), waits_for="verify inconclusive: few requests.")
    _, skip = ways.ways(status(services=(asked,)), everybody)
    assert "it does not end as VERIFIED" in " ".join(skip.does)
