"""What a busy machine does to tests, and the product has its own ways about."""

from typing import Any

from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    QueryWorkflowInput,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCError, RPCStatusCode

TRIES = 3
GIVEN_UP = (RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED)
"""The SDK's own limit, and the server's: ten seconds in which no worker replayed the workflow."""

STOOD_STILL = "[TMPRL1101]"
"""The SDK's word for a workflow that did not yield within two seconds of the machine's clock."""


class PatientQueries(Interceptor):
    """A client that asks again where a query was given up."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Patient(next)


class _Patient(OutboundInterceptor):
    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        for _ in range(TRIES - 1):
            try:
                return await super().query_workflow(input)
            except RPCError as error:
                if error.status not in GIVEN_UP:
                    raise
            except WorkflowQueryFailedError as error:
                if STOOD_STILL not in str(error):
                    raise
        return await super().query_workflow(input)
