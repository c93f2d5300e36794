"""The budget of one environment: what it holds, and a person's answer."""

from temporalio.client import (
    Client,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from rollback_manager import contract
from rollback_manager.client.refusals import explained, reason
from rollback_manager.client.rollback import ANSWER_S
from rollback_manager.contract import Answered
from rollback_manager.errors import PermanentError
from rollback_manager.fleet.budget import Budget, BudgetAnswer


class FleetBudget:
    """How many rollbacks may begin by themselves, and the question about the others."""

    def __init__(self, client: Client, env: str) -> None:
        self._env = env
        self._handle = client.get_workflow_handle(contract.budget_id(env))

    async def status(self) -> Budget:
        """Who began within the window, and who is held; empty where nobody has asked yet."""
        try:
            status: Budget = await self._handle.query(
                "status", result_type=Budget, rpc_timeout=ANSWER_S
            )
        except WorkflowQueryFailedError as error:
            raise PermanentError(f"{self._handle.id} could not answer: {error}") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Budget(env=self._env)
            raise explained(error, self._handle.id) from error
        return status

    async def answer(self, verb: str, answer: BudgetAnswer) -> Answered:
        """`admit` or `dismiss`. Where no worker answers, it is left as a signal."""
        try:
            answered: Answered = await self._handle.execute_update(
                verb, answer, result_type=Answered, rpc_timeout=ANSWER_S
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            await self._handle.signal(verb, answer, rpc_timeout=ANSWER_S)
            because = "no worker answers: the answer is stored and will be judged"
            return Answered(applied=False, because=because)
        except WorkflowUpdateFailedError as error:
            return Answered(applied=False, because=reason(error))
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Answered(applied=False, because=f"nothing is held in {self._env}")
            raise explained(error, self._handle.id) from error
        return answered
