"""Counters of releases in a Prometheus, or in what speaks its query API.

`PrometheusCounters` is the role; `query` writes the one question, `api` asks it and reads the
answer, `rounds` asks it once for everybody.
"""

from activities.integrations.prometheus.asking import Answered, Prometheus, together
from activities.integrations.prometheus.checkup import PrometheusCheckup
from activities.integrations.prometheus.counters import PrometheusCounters
from activities.integrations.prometheus.rounds import Rounds

__all__ = [
    "Answered",
    "Prometheus",
    "PrometheusCheckup",
    "PrometheusCounters",
    "Rounds",
    "together",
]
