"""Watches the releases of one environment, from their first second on."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributeKey, VersioningBehavior

from workflows.options import RETRY

with workflow.unsafe.imports_passed_through():
    import pydantic

    from activities.watch.watching import WatchActivities
    from rollback_manager.contract import WATCH_WORKFLOW
    from rollback_manager.progress import State
    from rollback_manager.rendering import web_ui_incident
    from rollback_manager.watch.watching import Watch

STATE = SearchAttributeKey.for_keyword("RollbackState")
AN_HOUR = timedelta(hours=1)
HEARTBEAT = timedelta(seconds=10)


@workflow.defn(
    name=WATCH_WORKFLOW,
    failure_exception_types=[pydantic.ValidationError],
    versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
)
class WatchWorkflow:
    """Keeps one long activity alive; six events whenever something else is watched, or an hour."""

    @workflow.init
    def __init__(self, seen: Watch) -> None:
        self._seen = seen

    @workflow.run
    async def run(self, seen: Watch) -> None:
        """For ever; ends only when it is cancelled, and a worker's start begins it anew."""
        while not workflow.info().is_continue_as_new_suggested():
            self._show()
            self._seen = await workflow.execute_activity_method(
                WatchActivities.watch_releases,
                self._seen,
                start_to_close_timeout=AN_HOUR,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RETRY,
                summary=f"watch the releases of {self._seen.env}",
            )
        workflow.continue_as_new(self._seen)

    def _show(self) -> None:
        workflow.upsert_search_attributes([STATE.value_set(str(State.RUNNING))])
        workflow.set_current_details(web_ui_incident.watched(self._seen))

    @workflow.query
    def watched(self) -> Watch:
        """What it watches beside what; its trouble, where it cannot tell."""
        return self._seen
