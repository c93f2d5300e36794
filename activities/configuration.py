"""The role of configuration: what a release was configured with returns with it."""

from temporalio import activity

from activities.frozen import FrozenContents
from activities.look import Look
from activities.reconciler import Reconciliation, reconcile
from activities.step import Step, wants
from activities.targets import Configuration, Targets
from rollback_manager.drift import differing
from rollback_manager.errors import Blocked, NotFound
from rollback_manager.frozen import Frozen
from rollback_manager.guard import Judgement
from rollback_manager.plan import Configured
from rollback_manager.progress import StepRecord


class ConfigurationActivities:
    """The activity that writes configuration back, from what the records keep of it."""

    def __init__(self, contents: FrozenContents, targets: Targets) -> None:
        self._contents = contents
        self._targets = targets

    @activity.defn(no_thread_cancel_exception=True)
    def restore_configuration(self, step: Step) -> StepRecord:
        """The wanted objects are as they were; what stood there is kept before it is replaced."""
        target = self._targets(step.env, step.plan.service)
        if target.configuration is None:
            raise Blocked(
                f"{step.plan.service} has no configuration that could be written back any more",
                effect="Nothing was written by this step.",
                next_step="See the catalogue: the plan was made for another target. Plan again.",
            )
        return _Restoring(step, target.configuration, self._contents).carry_out(self._targets)


class _Restoring:
    """One attempt."""

    def __init__(self, step: Step, role: Configuration, contents: FrozenContents) -> None:
        self._step, self._role, self._contents = step, role, contents
        self._wanted = wants(step, Configured)
        kept = self._content(self._wanted.digest)
        self._is_kept = kept is not None
        self._goal = kept or self._as_found()

    def carry_out(self, targets: Targets) -> StepRecord:
        return reconcile(
            self._step,
            targets(self._step.env, self._step.plan.service),
            Reconciliation(
                written=lambda _: not self._step.leaves_mark and not self._missing(),
                guard=_takes_nothing,
                write=self._write,
                confirmed=lambda _, __: None if self._missing() else f"{self._objects} as recorded",
                missing=lambda _: f"{', '.join(self._missing())} differ",
            ),
        )

    @property
    def _objects(self) -> str:
        return ", ".join(self._wanted.objects)

    def _missing(self) -> tuple[str, ...]:
        return differing(self._goal, self._role.read(self._wanted.objects))

    def _write(self, _: Look) -> str:
        self._role.write(self._goal, self._before(), self._step.mark)
        return f"{self._objects} as with {self._wanted.version}"

    def _before(self) -> Frozen:
        """What may be replaced. It is in the records before the first write, for the way back.

        A retry finds it there, and the objects half written.
        """
        if not self._is_kept:
            return self._goal
        if kept := self._content(self._wanted.before):
            return kept
        now = self._role.read(self._wanted.objects)
        if now.digest != self._wanted.before and not self._step.leaves_mark:
            raise Blocked(
                f"{self._objects}: changed since this was planned",
                effect="Nothing was written by this step.",
                next_step="See who writes them; then abort, and plan again.",
            )
        self._contents.keep_frozen(self._step.env, self._step.plan.service, now)
        return now

    def _content(self, digest: str) -> Frozen | None:
        kept = self._contents.frozen(self._step.env, self._step.plan.service, digest)
        return kept.only(self._wanted.objects) if kept else None

    def _as_found(self) -> Frozen:
        """Where an undo finds nothing kept, nothing was written: that comes after the keeping."""
        if not self._step.leaves_mark:
            raise NotFound(
                f"what was frozen of {self._wanted.version} is not in the records any more",
                effect="Nothing was written by this step.",
                next_step="Restore the records, then retry-step; or skip it and write"
                f" {self._objects} by hand.",
            )
        return self._role.read(self._wanted.objects)


def _takes_nothing(_: Look) -> Judgement:
    return Judgement(allowed=True, because="configuration takes no instance away")
