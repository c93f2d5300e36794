"""A shop whose instances count for themselves, as a real Prometheus scrapes them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.prometheus import Exporter

EDGES = {"0.05": 0.9, "0.1": 0.97, "+Inf": 1.0}
"""Upper edge in seconds → share of the requests at or below it; slow ones are beyond the first."""
Spoil = Callable[[str], str]


@dataclass
class Instance:
    """One instance of a version. errors, slow: shares of its requests from now on.

    spoil: what becomes of its page; None in the exporter's pages is an instance that answers 503.
    """

    service: str
    version: str
    per_s: float = 200.0
    errors: float = 0.0
    slow: float = 0.1
    spoil: Spoil = lambda page: page
    counted: dict[str, float] = field(default_factory=dict)
    at_s: float = field(default_factory=time.monotonic)

    def page(self) -> str:
        """As a client library writes it."""
        self._go_on()
        mine = f'service="{self.service}",version="{self.version}"'
        lines = [
            f'requests_total{{{mine},code="{code}"}} {int(self.counted.get(code, 0))}'
            for code in ("200", "500")
        ]
        lines += [
            f'seconds_bucket{{{mine},le="{edge}"}} {int(self.counted.get(edge, 0))}'
            for edge in EDGES
        ]
        return self.spoil("".join(f"{line}\n" for line in lines))

    def restart(self) -> None:
        """Every counter from zero."""
        self.counted = {}

    def _go_on(self) -> None:
        now_s = time.monotonic()
        grown, self.at_s = self.per_s * (now_s - self.at_s), now_s
        parts = {"500": self.errors, "200": 1 - self.errors, "0.05": 1 - self.slow, "+Inf": 1.0}
        parts["0.1"] = 1 - self.slow / 2
        for name, part in parts.items():
            self.counted[name] = self.counted.get(name, 0.0) + grown * part


def shown(exporter: Exporter, path: str, instance: Instance) -> Instance:
    """The instance, whose page is at that path from now on."""
    exporter.pages[path] = instance.page
    return instance
