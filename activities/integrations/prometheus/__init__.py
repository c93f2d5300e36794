"""Counters of releases in a Prometheus, or in what speaks its query API.

`Prometheus` is the role; `query` writes the one question, `api` asks it and reads the answer.
"""

from activities.integrations.prometheus.counters import Looks, Prometheus, together

__all__ = ["Looks", "Prometheus", "together"]
