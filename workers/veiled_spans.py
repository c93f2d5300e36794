"""Spans without secrets: an exception that a span records may repeat one, with its causes."""

from collections.abc import Mapping, Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

from rollback_manager.veil import VEIL


class VeiledSpans(SpanExporter):
    """Hands on to `exporter` what may be told."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """All of them, veiled."""
        return self._exporter.export([_veiled(span) for span in spans])

    def shutdown(self) -> None:
        """That of the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """That of the exporter."""
        return self._exporter.force_flush(timeout_millis)


def _veiled(span: ReadableSpan) -> ReadableSpan:
    said = span.status.description
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_over(span.attributes),
        events=[Event(one.name, _over(one.attributes), one.timestamp) for one in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, VEIL.over(said) if said else said),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _over(attributes: Mapping[str, AttributeValue] | None) -> dict[str, AttributeValue]:
    return {
        name: VEIL.over(value) if isinstance(value, str) else value
        for name, value in (attributes or {}).items()
    }
