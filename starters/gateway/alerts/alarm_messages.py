"""What CloudWatch sends through Amazon SNS, where the topic is an alarm's own action."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from rollback_manager.incidents.alerts import Told
from rollback_manager.values import Value
from starters.gateway.alerts.payloads import Labels, Short, StateChange, Text
from starters.gateway.sns.message import Envelope


class _Dimension(Value):
    name: Short
    value: Text


class _Trigger(Value):
    Dimensions: Annotated[tuple[_Dimension, ...], Field(max_length=100)] = ()


class AlarmMessage(Value):
    """What an alarm of CloudWatch sends that has the topic as its action."""

    AlarmName: Short
    NewStateValue: Short
    NewStateReason: Annotated[str, StringConstraints(max_length=10_000)] = ""
    StateChangeTime: AwareDatetime
    Trigger: _Trigger = _Trigger()

    def told(self) -> tuple[Told, ...]:
        """One alert; its labels are the dimensions of the alarm's metric."""
        labels: Labels = {one.name: one.value for one in self.Trigger.Dimensions}
        told = Told(
            id=f"{self.AlarmName}/{self.StateChangeTime.isoformat()}/{self.NewStateValue}",
            name=self.AlarmName,
            labels=labels,
            words=self.NewStateReason,
            firing=self.NewStateValue == "ALARM",
            at=self.StateChangeTime,
        )
        return (told,)


def kind_of(message: Envelope) -> type[StateChange | AlarmMessage]:
    """EventBridge's event, or what an alarm sends by itself."""
    return AlarmMessage if '"AlarmName"' in message.Message else StateChange
