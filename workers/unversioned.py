"""Workers without a build id: they leave out how the classes of workflows behave across builds.

Temporal refuses every answer that names a behaviour from a worker that has no version ("versioning
behavior cannot be specified without deployment options"), and the workflow would stand still.
"""

from dataclasses import replace

from temporalio.common import VersioningBehavior
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails


class UnversionedRunner(UnsandboxedWorkflowRunner):
    """What the sandbox runs a workflow with; each run imports it anew, so it imports little."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """A run of the same workflow that names no behaviour."""
        silent = replace(det.defn, versioning_behavior=VersioningBehavior.UNSPECIFIED)
        return super().create_instance(replace(det, defn=silent))
