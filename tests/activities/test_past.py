"""The past is read seldom, and its absence is told, never acted on."""

from dataclasses import dataclass, field

from activities.past import READ_AGAIN_S, Past, Seldom
from rollback_manager.decision.calibration import calibrated
from rollback_manager.decision.levels import PastAlarm
from rollback_manager.decision.model import DecisionModel, NotTrained
from rollback_manager.errors import PermanentError, Unreachable
from rollback_manager.incidents.triggers import TriggerKind
from tests.incidents import POLICY

ERRORS = TriggerKind.CRITICAL_ERROR_RATE


def alarm(number: int, service: str = "shop", false: bool = False) -> PastAlarm:
    incident = f"incident/prod/{service}/v{number}"
    return PastAlarm(incident=incident, service=service, trigger=ERRORS, nats=4.0, false=false)


@dataclass
class StandInLedger:
    """Answers with these alarms, or not at all."""

    alarms: list[PastAlarm]
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def past_alarms(self, env: str, most: int) -> list[PastAlarm]:
        self.asked.append(env)
        if self.away:
            raise Unreachable("the records do not answer")
        return self.alarms[:most]

    def model_in_use(self, env: str) -> DecisionModel | None:
        if self.away:
            raise PermanentError("the records refused")
        return None

    def keep_model(self, env: str, model: DecisionModel) -> DecisionModel:
        raise NotImplementedError

    def use_model(self, env: str, version: int) -> None:
        raise NotImplementedError


def test_own_alarms_and_those_of_others_are_told_apart() -> None:
    ledger = StandInLedger([*map(alarm, range(30)), *(alarm(n, "cart", True) for n in range(10))])
    past = Past(ledger, ledger)
    found = past.calibration("prod", "shop", POLICY)
    assert [(one.alarms, one.false) for one in found.service] == [(30, 0)]
    assert [(one.alarms, one.false) for one in found.fleet] == [(10, 10)]
    assert (past.false_alarms("prod", "cart"), past.false_alarms("prod", "shop")) == (10, 0)


def test_a_ledger_that_is_away_leaves_it_uncalibrated_and_says_why() -> None:
    ledger = StandInLedger([], away=True)
    past = Past(ledger, ledger)
    found = calibrated(past.calibration("prod", "shop", POLICY), ERRORS, 9.0, POLICY)
    assert found.confidence is None
    assert found.because == (
        "not calibrated: past decisions cannot be read: the records do not answer"
    )
    model = past.model("prod")
    assert isinstance(model, NotTrained)
    assert model.because == "it cannot be read: the records refused"
    assert past.false_alarms("prod", "shop") == 0
    assert ledger.asked == ["prod"], "what does not answer is not asked for every decision"


def test_without_a_model_in_use_it_says_so() -> None:
    ledger = StandInLedger([])
    model = Past(ledger, ledger).model("prod")
    assert isinstance(model, NotTrained)
    assert model.because == "not trained: none is in use"


def test_it_is_read_once_a_minute_and_goes_on_with_what_it_knew() -> None:
    answers: list[str | None] = ["first", None, "third"]
    now, asked = [0.0], list[str]()

    def read(env: str) -> str:
        asked.append(env)
        answer = answers[len(asked) - 1]
        if answer is None:
            raise Unreachable("away")
        return answer

    known = Seldom(read, clock=lambda: now[0])
    assert known.of("prod") == known.of("prod") == ("first", "")
    now[0] = READ_AGAIN_S
    assert known.of("prod") == ("first", "away")
    assert len(asked) == 2
    now[0] = 2 * READ_AGAIN_S
    assert known.of("prod") == ("third", "")


def test_environments_have_pasts_of_their_own() -> None:
    known = Seldom(lambda env: env.upper())
    assert (known.of("prod")[0], known.of("test")[0]) == ("PROD", "TEST")
