"""Where people are told: one file per kind of channel, and the one way in which they post."""

from activities.integrations.channels.email import Email
from activities.integrations.channels.pagerduty import PagerDuty
from activities.integrations.channels.slack import Slack, SlackAnswers
from activities.integrations.channels.status_page import StatusPage
from activities.integrations.channels.webhook import Webhook

__all__ = ["Email", "PagerDuty", "Slack", "SlackAnswers", "StatusPage", "Webhook"]
