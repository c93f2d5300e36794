"""What we need of the namespace in which everything lives: attributes, retention, an answer."""

import re
from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from rollback_manager.errors import Unreachable

DEADLINE_S = 2.0  # each of these calls takes a few ms
RETENTION = timedelta(days=30)  # the server's own 24 h would take the evidence away after a day


class Namespace:
    """The client's namespace. `search_attributes` maps names to Temporal's types.

    All methods raise `Unreachable` when the server gives no answer or refuses.
    """

    def __init__(self, client: Client, search_attributes: Mapping[str, str]) -> None:
        self._client = client
        self._name = client.namespace
        self._search_attributes = search_attributes

    async def retention(self, deadline_s: float = DEADLINE_S) -> timedelta:
        """For how long it keeps what is finished. The answer comes from the database."""
        try:
            answer = await self._client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=self._name),
                timeout=timedelta(seconds=deadline_s),
            )
        except (RPCError, RuntimeError) as err:  # RuntimeError: the SDK could not connect
            raise Unreachable(f"Temporal gave no answer: {str(err)[:300]}") from err
        return answer.config.workflow_execution_retention_ttl.ToTimedelta()

    async def prepare(self) -> None:
        """Add what is missing and prove that a query on our attributes is answered.

        Cheap when nothing is missing, and harmless to repeat until it succeeds.
        """
        retention = await self.retention()
        try:
            await self._add_search_attributes()
            if retention < RETENTION:
                await self._raise_retention()
            await self._query()
        except RPCError as err:
            raise Unreachable(f"Temporal is not ready: {str(err)[:300]}") from err
        if retention < RETENTION and (kept := await self.retention()) < RETENTION:
            raise Unreachable(f"Temporal keeps finished rollbacks for {kept}, not {RETENTION}.")

    async def _add_search_attributes(self) -> None:
        """The dev server's own flag for them works on a new database file alone."""
        there = await self._client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=self._name), timeout=_DEADLINE
        )
        missing = {
            name: _type(kind)
            for name, kind in self._search_attributes.items()
            if name not in there.custom_attributes
        }
        if missing:
            await self._client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=self._name, search_attributes=missing),
                timeout=_DEADLINE,
            )

    async def _raise_retention(self) -> None:
        wanted = Duration()
        wanted.FromTimedelta(RETENTION)
        config = NamespaceConfig(workflow_execution_retention_ttl=wanted)
        await self._client.workflow_service.update_namespace(
            UpdateNamespaceRequest(namespace=self._name, config=config), timeout=_DEADLINE
        )

    async def _query(self) -> None:
        query = " AND ".join(f"{name} IS NULL" for name in self._search_attributes)
        await self._client.workflow_service.count_workflow_executions(
            CountWorkflowExecutionsRequest(namespace=self._name, query=query), timeout=_DEADLINE
        )


_DEADLINE = timedelta(seconds=DEADLINE_S)


def _type(name: str) -> IndexedValueType.ValueType:
    """`KeywordList` → INDEXED_VALUE_TYPE_KEYWORD_LIST."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{words}")
