"""Temporal's core without its warnings, which it writes to stdout: results go there."""

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

ERRORS = TelemetryFilter(core_level="ERROR", other_level="ERROR")
"""A late completion is warned of each time, and lateness is what the proof is about."""


def errors_only() -> None:
    """For all of this process; before its first client."""
    logging = LoggingConfig(filter=ERRORS)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logging)))
