"""A STAND-IN of Slack for the demo, the tests and the measurements: the part that we use, no more.

It speaks Slack's Web API, Socket Mode and signatures on loopback. It is no evidence about Slack.
"""

from demo.slack.people import SlackPerson, signed
from demo.slack.stand_in import Call, SlackStandIn

__all__ = ["Call", "SlackPerson", "SlackStandIn", "signed"]
