"""Watches one environment for claims whose rollback does not run any more."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior

from workflows.options import RETRY

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.orphans import OrphanActivities
    from rollback_manager.claim import Watched
    from rollback_manager.contract import WATCHDOG_WORKFLOW
    from rollback_manager.progress import State
    from rollback_manager.rendering import web_ui_orphans

STATE = SearchAttributeKey.for_keyword("RollbackState")
AN_HOUR = timedelta(hours=1)
HEARTBEAT = timedelta(seconds=10)


@workflow.defn(
    name=WATCHDOG_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
)
class WatchdogWorkflow:
    """Keeps one long activity alive that compares claims with what runs; six events a round."""

    @workflow.init
    def __init__(self, seen: Watched) -> None:
        self._seen = seen

    @workflow.run
    async def run(self, seen: Watched) -> None:
        """For ever; ends only when it is cancelled, and a worker's start begins it anew."""
        while not workflow.info().is_continue_as_new_suggested():
            self._show()
            self._seen = await workflow.execute_activity_method(
                OrphanActivities.watch_claims,
                self._seen,
                start_to_close_timeout=AN_HOUR,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RETRY,
                summary=f"watch the claims of {self._seen.env}",
            )
        workflow.continue_as_new(self._seen)

    def _show(self) -> None:
        alarm = bool(self._seen.orphans) or (self._seen.looked and bool(self._seen.trouble))
        state = State.NEEDS_HUMAN if alarm else State.RUNNING
        workflow.upsert_search_attributes([STATE.value_set(str(state))])
        workflow.set_current_details(web_ui_orphans.watchdog_details(self._seen))

    @workflow.query
    def orphans(self) -> Watched:
        """What it knows; its trouble, where it cannot tell."""
        return self._seen
