"""The error tree of the product.

RollbackError
├── PermanentError     trying again cannot help: a person must change something
└── TemporaryError     trying again may help, after `retry_after_s`

Each says three things: what happened, what it means for production, what to type next.
"""


class RollbackError(Exception):
    """Anything that this product refuses or fails at; all of its errors are below this one."""

    def __init__(self, what: str, *, effect: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.effect = effect
        self.next_step = next_step

    def __str__(self) -> str:
        """One line per part, the empty ones left out."""
        return "\n".join(part for part in (self.what, self.effect, self.next_step) if part)


class PermanentError(RollbackError):
    """Trying again cannot help. Temporal does not retry it; the step waits for a person."""


class TemporaryError(RollbackError):
    """Trying again may help, `retry_after_s` seconds from now at the earliest."""

    def __init__(
        self, what: str, *, retry_after_s: float = 1.0, effect: str = "", next_step: str = ""
    ) -> None:
        super().__init__(what, effect=effect, next_step=next_step)
        self.retry_after_s = retry_after_s


class CatalogueError(PermanentError):
    """The catalogue has mistakes; each is named with its line."""


class Blocked(PermanentError):
    """A precondition or a guard forbids it. Nothing was touched."""


class NotPermitted(PermanentError):
    """Whoever asks is not signed in, or may not do it. Nothing was touched."""


class StalePlan(PermanentError):
    """The plan that was agreed to is not the plan of now. Nothing was touched."""


class StaleWrite(PermanentError):
    """A newer operation owns this target (epoch or step is older than what it carries)."""


class SignalsUsedUp(PermanentError):
    """Temporal takes no further signal for this workflow; its cancel, a hold, it still takes."""


class NotFound(PermanentError):
    """There is no rollback, release or service of that name."""


class Unreachable(TemporaryError):
    """A server that is needed (Temporal, Envoy, supervisord, records) does not answer."""


class NotYet(TemporaryError):
    """There is nothing to tell so far; the same is looked at again later. No failure."""


class HandedOver(TemporaryError):
    """This attempt ends with its worker, as it should; another one goes on where it stood."""
