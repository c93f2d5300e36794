"""What the queries of a file say of the Prometheus that counts the service: a draft of `metrics:`.

It is only written out live when a version label was read too, and the service's own value where a
label picks the service. A source that counts nothing would blind the watch, where the proxy's own
counters do well.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rollback_manager.importing.labels import (
    SERVICE_LABELS,
    Picks,
    holes,
    literal,
    picked,
    says_version,
)
from rollback_manager.importing.promql import Matcher
from rollback_manager.importing.report import without_nothing
from rollback_manager.importing.shapes import Read
from rollback_manager.metrics.sources import PrometheusSource
from rollback_manager.written import TO_FILL_IN


@dataclass
class Counters:
    """The draft. What is empty was not said anywhere in the file; the first word on it counts."""

    url: str = ""
    requests: str = ""
    errors: tuple[str, str] | None = None
    latency: str = ""
    unit: str = ""
    service: tuple[str, str] | None = None
    version_label: str = ""
    where: dict[str, str] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)

    def note(self, read: Read, url: str = "") -> None:
        """What one query says."""
        if "@" in url:  # in a catalogue and in logs it would be read by everybody
            self.differing.append("its address carries credentials: name them under token")
        else:
            self.url = self.url or url
        self._first("requests", read.requests)
        self._first("latency", read.latency)
        self.unit = self.unit or read.latency_unit
        if read.errors and read.errors[1]:
            self.errors = self.errors or (read.errors[0], read.errors[1])
        self._labels([one for one in read.matchers if picked(one).picks is Picks.OTHER])

    def _first(self, name: str, said: str) -> None:
        had = getattr(self, name)
        if said and had and said != had:
            self.differing.append(f"{had} and {said} are both counted; the first one stands here")
        setattr(self, name, had or said)

    def _labels(self, matchers: list[Matcher]) -> None:
        for one in matchers:
            if says_version(one):
                self.version_label = self.version_label or one.label
        rest = [one for one in matchers if one.label and not says_version(one)]
        for label in SERVICE_LABELS:
            self._service(next((one for one in rest if one.label == label), None))
        for one in rest:
            value = literal(one)
            if value is not None and (self.service is None or one.label != self.service[0]):
                self.where.setdefault(one.label, value)

    def _service(self, matcher: Matcher | None) -> None:
        if matcher is None or self.service is not None:
            return
        value = literal(matcher)
        if value is not None or holes(matcher.value):
            self.service = matcher.label, value or TO_FILL_IN

    @property
    def is_empty(self) -> bool:
        """Whether no query said anything."""
        return not (self.requests or self.latency or self.errors)

    def missing(self) -> list[str]:
        """What must be known before it may be written out live, in words."""
        wanted = {
            "url": self.url,
            "requests": self.requests,
            "errors": self.errors,
            "service_label": self.service,
            "service_value": self.service is None or self.service[1] != TO_FILL_IN,
            "version_label": self.version_label.endswith("version"),
        }
        return [name for name, said in wanted.items() if not said]

    def document(self) -> dict[str, Any]:
        """As the catalogue has it; what is missing says so."""
        label, value = self.service or (TO_FILL_IN, "")
        return without_nothing(
            {
                "kind": "prometheus",
                "url": self.url or TO_FILL_IN,
                "requests": self.requests or TO_FILL_IN,
                "errors": self._errors(),
                "latency": self.latency,
                "latency_unit": self.unit if self.unit == "ms" else "",
                "service_label": label,
                "service_value": value,
                "version_label": self.version_label or TO_FILL_IN,
                "where": self.where,
            }
        )

    def _errors(self) -> dict[str, str]:
        if self.errors is None:
            return {"kind": "label", "label": TO_FILL_IN, "matches": TO_FILL_IN}
        label, said = self.errors
        if not label:
            return {"kind": "metric", "metric": said}
        return {"kind": "label", "label": label, "matches": said}

    def mistakes(self) -> list[str]:
        """What the catalogue would not accept of it, in words."""
        try:
            PrometheusSource.model_validate(self.document(), extra="forbid")
        except ValidationError as error:
            return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        return []


def counters_of(reads: Iterable[tuple[Read, str]]) -> Counters:
    """The draft of all queries of a file, each with the address that it is sent to."""
    draft = Counters()
    for read, url in reads:
        draft.note(read, url)
    return draft
