"""Compare-and-set on an object of Kubernetes: nobody's change is overwritten unseen."""

import random
import time
from collections.abc import Callable, Sequence

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import MARK, Json, last_writer, mark_of
from activities.integrations.kubernetes.refusals import Conflict
from rollback_manager.errors import StaleWrite, TemporaryError
from rollback_manager.operation import Mark

TRIES = 10
PAUSE_S = 0.02
"""A controller that writes 20 times a second leaves 50 ms between two of its writes."""


def compare_and_set(
    api: Api, path: str, mark: Mark, change: Callable[[Json], Sequence[Json]]
) -> Json:
    """The object with `change` and our mark on it, unless a newer mark stands there.

    change: from the object as it is right now to the operations of a JSON patch; it may raise. It
    is asked anew each time somebody wrote in between, be it a controller that only counts pods.

    Raises:
        StaleWrite: a newer operation of ours owns the object; nothing was written.
        TemporaryError: somebody else wrote in between at every try; it is named.
    """

    def write(seen: Json) -> Json:
        return api.patch(path, [*_tests(seen), *change(seen), *_marked(seen, mark)])

    return _tried(api, path, mark, write)


def set_status(api: Api, path: str, mark: Mark, change: Callable[[Json], Sequence[Json]]) -> Json:
    """The same for the status of an object, which carries no mark: that of the object is asked.

    change: nothing is written where it returns no operation. Raises as `compare_and_set` does.
    """

    def write(seen: Json) -> Json:
        operations = change(seen)
        return api.patch(f"{path}/status", [*_tests(seen), *operations]) if operations else seen

    return _tried(api, path, mark, write)


def _tried(api: Api, path: str, mark: Mark, write: Callable[[Json], Json]) -> Json:
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 - no secret hangs on it
        seen = api.get(path)
        _refuse_if_stale(path, mark, mark_of(seen))
        try:
            return write(seen)
        except Conflict:
            continue
    raise TemporaryError(
        f"{path} is blocked: somebody wrote it at each of {TRIES} tries, last {last_writer(seen)}",
        effect="Nothing was written by this step.",
        next_step="This is tried again by itself; if it stays so, stop that writer.",
    )


def _refuse_if_stale(path: str, mark: Mark, there: Mark | None) -> None:
    if there is not None and mark.is_older_than(there):
        raise StaleWrite(
            f"{path} carries epoch {there.epoch}, step {there.step};"
            f" this write is of epoch {mark.epoch}, step {mark.step}",
            effect="Nothing was written: a newer operation owns this object.",
            next_step="See which one: rollback-manager list. If the records were lost or restored,"
            f" none is newer: take the annotation {MARK} away by hand.",
        )


def _tests(seen: Json) -> list[Json]:
    meta = seen["metadata"]
    tests: list[Json] = [
        {"op": "test", "path": "/metadata/uid", "value": meta["uid"]},
        {"op": "test", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
    ]
    if MARK in meta.get("annotations", {}):
        tests.append({"op": "test", "path": _MARK_PATH, "value": meta["annotations"][MARK]})
    return tests


def _marked(seen: Json, mark: Mark) -> list[Json]:
    if "annotations" not in seen["metadata"]:
        return [{"op": "add", "path": "/metadata/annotations", "value": {MARK: str(mark)}}]
    return [{"op": "add", "path": _MARK_PATH, "value": str(mark)}]


_MARK_PATH = f"/metadata/annotations/{MARK.replace('~', '~0').replace('/', '~1')}"


def must_be_as_seen(path: str, item: Json, seen: str | None) -> None:
    """StaleWrite where the object is not the one that the look before this write saw.

    seen: its resourceVersion then; None where nobody looked.
    """
    if seen in (None, "", item["metadata"]["resourceVersion"]):
        return
    raise StaleWrite(
        f"{path} was changed since it was looked at, by {last_writer(item)}",
        effect="Nothing was written.",
        next_step="If nobody else is at work there, retry-step looks again.",
    )
