"""Logs for people or machines; traces and metrics over OTLP where its standard variables are set.

OpenTelemetry reads its own variables (OTEL_EXPORTER_OTLP_ENDPOINT and kin); without one of them
nothing is set up and nothing is sent.
"""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.typing import EventDict
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.judgement import Conclusion
from activities.step import Step
from rollback_manager.errors import RollbackError
from rollback_manager.progress import RollbackOutcome, StepRecord
from rollback_manager.veil import VEIL
from workers.veiled_spans import VeiledSpans

ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


@dataclass(frozen=True)
class Telemetry:
    """What a worker takes along, and what must be flushed when it ends."""

    interceptors: Sequence[Interceptor] = ()
    traces: TracerProvider | None = None
    measures: MeterProvider | None = None

    def flush(self) -> None:
        """Send what is still here; a process that ends takes it along otherwise."""
        if self.traces is not None:
            self.traces.shutdown()
        if self.measures is not None:
            self.measures.shutdown()


def set_up() -> Telemetry:
    """Traces and metrics if an endpoint is named; otherwise off."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return Telemetry()
    resource = Resource.create({"service.name": "rollback-manager"})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(VeiledSpans(OTLPSpanExporter())))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    measures = MeterProvider(resource=resource, metric_readers=[reader])
    meter = measures.get_meter("rollback-manager")
    tracer = traces.get_tracer("rollback-manager")
    # Who starts a rollback may have no traces of its own: without this its spans are in no order.
    tracing = TracingInterceptor(tracer, always_create_workflow_spans=True)
    return Telemetry([tracing, Measures(meter)], traces, measures)


class Measures(Interceptor):
    """`rollback.duration`, `rollback.step.duration` in seconds, and the count `rollback.outcome`.

    Taken where an activity's answer passes by, so that no activity knows of them.
    """

    def __init__(self, meter: Meter) -> None:
        self.rollback_s = meter.create_histogram("rollback.duration", unit="s")
        self.step_s = meter.create_histogram("rollback.step.duration", unit="s")
        self.outcomes = meter.create_counter("rollback.outcome", unit="{rollback}")

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """One wrapper per activity worker."""
        return _Measured(next, self)


class _Measured(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, to: Measures) -> None:
        super().__init__(next)
        self._to = to

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        answer = await super().execute_activity(input)
        match input.args[0] if input.args else None, answer:
            case Step(env=env, plan=plan), StepRecord() as record:
                facts = {"env": env, "service": plan.service, "step": str(record.kind)}
                took = (record.finished_at - record.started_at).total_seconds()
                self._to.step_s.record(took, {**facts, "state": str(record.state)})
            case Conclusion(seconds=seconds, plan=plan), RollbackOutcome() as outcome:
                facts = {"env": plan.env, "result": str(outcome.result)}
                self._to.rollback_s.record(seconds, facts)
                self._to.outcomes.add(1, facts)
            case _:
                pass
        return answer


def _ours_in_a_word(_: object, __: str, event: EventDict) -> EventDict:
    """An error of ours says in a line what a stack would bury; Temporal tries it every few s."""
    raised = event.get("exc_info")
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, RollbackError | ApplicationError):
        event = {**event, "because": str(error)}
        del event["exc_info"]
    return event


def _veiled(renderer: structlog.typing.Processor) -> structlog.typing.Processor:
    """Over the whole line, last of all: a stack or a text of others may repeat a secret."""

    def rendered(logger: Any, name: str, event: EventDict) -> str:
        return VEIL.over(str(renderer(logger, name, event)))

    return rendered


def set_up_logs(as_json: bool) -> None:
    """Constant messages with their facts, rendered on stderr by structlog."""
    facts: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _ours_in_a_word,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        # Its own default shows the locals of every frame: pages, and all that is secret in them.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    if as_json:
        facts.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=facts,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _veiled(renderer),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("httpx", "alembic", "temporalio", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
