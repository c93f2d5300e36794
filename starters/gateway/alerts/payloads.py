"""What each monitoring system sends, as its own documentation has it; nothing of it is trusted."""

from typing import Annotated, Literal, Protocol, Self

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError

from rollback_manager.incidents.alert_names import AlertSource
from rollback_manager.incidents.alerts import Told
from rollback_manager.values import Value
from starters.gateway.problems import Refused

MOST_ALERTS = 100
"""In one request; `max_alerts` of Alertmanager must be set to no more."""
Moment = Annotated[AwareDatetime, Field(strict=True)]
"""With its offset; a number is none."""
Text = Annotated[str, StringConstraints(max_length=1000)]
Short = Annotated[str, StringConstraints(max_length=200)]
Labels = Annotated[dict[Short, Text], Field(max_length=100)]


class _Grouped(Value):
    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: Moment  # noqa: N815 -- theirs
    endsAt: Moment | None = None  # noqa: N815
    fingerprint: Annotated[str, StringConstraints(pattern="^[0-9a-zA-Z]{1,64}$")]

    def told(self) -> Told:
        firing = self.status == "firing"
        at = self.startsAt if firing or self.endsAt is None else self.endsAt
        return Told(
            id=f"{self.fingerprint}/{self.startsAt.isoformat()}/{self.status}",
            name=self.labels.get("alertname", ""),
            labels=self.labels,
            words=self.annotations.get("summary", ""),
            firing=firing,
            at=at,
        )


class Grouped(Value):
    """Alertmanager's webhook, version 4; Grafana's has the same parts."""

    alerts: Annotated[tuple[_Grouped, ...], Field(min_length=1, max_length=MOST_ALERTS)]

    def told(self) -> tuple[Told, ...]:
        """Each alert of the group."""
        return tuple(one.told() for one in self.alerts)


class _State(Value):
    value: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    reason: Annotated[str, StringConstraints(max_length=10_000)] = ""
    timestamp: Moment


class _Metric(Value):
    dimensions: Labels = Field(default_factory=dict)


class _MetricStat(Value):
    metric: _Metric = _Metric()


class _Query(Value):
    metricStat: _MetricStat = _MetricStat()  # noqa: N815


class _Configuration(Value):
    metrics: Annotated[tuple[_Query, ...], Field(max_length=100)] = ()


class _Alarm(Value):
    alarmName: Short  # noqa: N815
    state: _State
    configuration: _Configuration = _Configuration()


class StateChange(Value):
    """EventBridge's event `CloudWatch Alarm State Change`."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    detail: _Alarm

    def told(self) -> tuple[Told, ...]:
        """One alert; its labels are the dimensions of the alarm's metrics."""
        alarm = self.detail
        labels = {
            name: value
            for query in alarm.configuration.metrics
            for name, value in query.metricStat.metric.dimensions.items()
        }
        one = Told(
            id=f"{alarm.alarmName}/{alarm.state.timestamp.isoformat()}/{alarm.state.value}",
            name=alarm.alarmName,
            labels=labels,
            words=alarm.state.reason,
            firing=alarm.state.value == "ALARM",
            at=alarm.state.timestamp,
        )
        return (one,)


class Generic(Value):
    """Anybody's alert, in our own words. name: of the alert; at: when it was seen."""

    name: Annotated[Short, Field(examples=["HighErrorRate"])]
    labels: Annotated[Labels, Field(examples=[{"service": "checkout", "environment": "prod"}])]
    at: Moment
    firing: bool = True
    words: Text = ""

    def told(self) -> tuple[Told, ...]:
        """This one."""
        name = f"{self.name}/{self.at.isoformat()}/{self.firing}"
        return (Told(id=name, **self.model_dump(exclude={"words"}), words=self.words),)


KINDS: dict[AlertSource, type[Grouped | StateChange | Generic]] = {
    AlertSource.ALERTMANAGER: Grouped,
    AlertSource.GRAFANA: Grouped,
    AlertSource.CLOUDWATCH: StateChange,
    AlertSource.GENERIC: Generic,
}


class Tells(Protocol):
    """What some source sends."""

    @classmethod
    def model_validate_json(cls, json_data: bytes) -> Self:
        """As it was sent."""

    def told(self) -> tuple[Told, ...]:
        """Its alerts."""


def read(source: AlertSource, body: bytes, kind: type[Tells] | None = None) -> tuple[Told, ...]:
    """The alerts in it; Refused (422) names the place that does not fit, never what stood there.

    kind: where the source sends more than one.
    """
    try:
        return (kind or KINDS[source]).model_validate_json(body).told()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        places = "; ".join(f"{_place(one['loc'])}: {one['type']}" for one in found[:5])
        raise Refused(
            422,
            "not-understood",
            f"no alert of {source}: {places}",
            next_step=f"Send what {source} sends.",
        ) from None


def _place(loc: tuple[int | str, ...]) -> str:
    """Our own names of fields; a key of a map is theirs, and is left out."""
    known = [str(one) for one in loc if isinstance(one, int) or one in _FIELDS]
    return ".".join(known) or "body"


_FIELDS = frozenset(
    name
    for kind in (Grouped, _Grouped, StateChange, _Alarm, _State, _Configuration, _Query, Generic)
    for name in kind.model_fields
)
