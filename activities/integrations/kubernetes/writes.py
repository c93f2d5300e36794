"""Compare-and-set on an object of Kubernetes: nobody's change is overwritten unseen."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from activities.integrations.kubernetes.api import Api
from activities.integrations.kubernetes.objects import MARK, Json, last_writer, mark_of
from activities.integrations.kubernetes.refusals import Conflict
from rollback_manager.errors import PermanentError, StaleWrite, TemporaryError
from rollback_manager.operation import Mark

TRIES = 25
PAUSE_S = 0.02
"""A controller that writes 20 times a second leaves 50 ms between two of its writes."""


Notes = Mapping[str, str | None]
"""Annotation → its value; None takes it away."""


def compare_and_set(
    api: Api,
    path: str,
    mark: Mark,
    change: Callable[[Json], Sequence[Json]],
    known: Json | None = None,
    *,
    key: str = MARK,
    notes: Callable[[Json], Notes] = lambda _: {},
) -> Json:
    """The object with `change` and our mark on it, unless a newer mark stands there.

    Where another attempt of the very same operation wrote in between it is left as it is now: what
    that one wrote may have been changed since, and is not for one that comes late to write again.

    change: from the object as it is right now to the operations of a JSON patch; it may raise. It
    is asked anew each time somebody wrote in between, be it a controller that only counts pods.
    known: the object as it was seen a moment ago: the first try rests on it without reading it
    again. Where it is not that any more, the API server refuses the try, and it is read.
    key: the annotation of the mark; an object that several services share has one for each.
    notes: further annotations, asked in the same way.

    Raises:
        StaleWrite: a newer operation of ours owns the object; nothing was written.
        TemporaryError: somebody else wrote in between at every try; it is named.
        PermanentError: the API refuses the change although nobody wrote in between.
    """
    refused_at, first = "", None
    guessed = known is not None  # that try is one more, or a busy writer would take one of ours
    for number in range(TRIES + guessed):
        if number > guessed:
            time.sleep(PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 - no secret hangs on it
        seen = known if known is not None and number == 0 else api.get(path)
        _refuse_if_same(path, refused_at, seen)
        there = mark_of(seen, key)
        first = there if number == 0 else first
        _refuse_if_stale(path, mark, there)
        if there == mark != first:
            return seen
        try:
            notes_now = {**notes(seen), key: str(mark)}
            changes = [*change(seen), *_annotated(seen, notes_now)]
            return api.patch(path, [*_tests(seen, key), *changes])
        except Conflict:
            refused_at = seen["metadata"]["resourceVersion"]
    raise TemporaryError(
        f"{path} is blocked: somebody wrote it at each of {TRIES} tries, last {last_writer(seen)}",
        effect="Nothing was written by this step.",
        next_step="This is tried again by itself; if it stays so, stop that writer.",
    )


@contextmanager
def unless_lost(forget: Callable[[], None]) -> Iterator[None]:
    """Around a write that may land though its answer is lost: what was read before is forgotten."""
    try:
        yield
    except BaseException:
        forget()
        raise


def try_out(
    api: Api,
    path: str,
    change: Callable[[Json], Sequence[Json]],
    *,
    key: str = MARK,
    notes: Callable[[Json], Notes] = lambda _: {},
) -> None:
    """The same write as a dry run: the API judges it, with every webhook and policy of the cluster.

    Raises what `compare_and_set` would, but for a mark that is newer: whoever plans has none yet.
    """
    for last in range(TRIES, 0, -1):
        seen = api.get(path)
        there = mark_of(seen, key)
        mark = Mark(op_id="0" * 16, epoch=there.epoch + 1 if there else 1, step=0)
        try:
            changes = [*change(seen), *_annotated(seen, {**notes(seen), key: str(mark)})]
            api.patch(path, [*_tests(seen, key), *changes], dry_run=True)
        except Conflict:
            if last == 1:
                raise
            continue
        return


def _refuse_if_same(path: str, refused_at: str, seen: Json) -> None:
    """A patch that does not fit the object is refused in the words of a conflict."""
    if refused_at == seen["metadata"]["resourceVersion"]:
        raise PermanentError(
            f"the API refuses our change of {path}, and nobody has written it in between",
            effect="Nothing was changed.",
            next_step="The object is not of the shape that was expected: see its spec.",
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


def _tests(seen: Json, key: str) -> list[Json]:
    meta = seen["metadata"]
    tests: list[Json] = [
        {"op": "test", "path": "/metadata/uid", "value": meta["uid"]},
        {"op": "test", "path": "/metadata/resourceVersion", "value": meta["resourceVersion"]},
    ]
    there = meta.get("annotations", {})
    if key in there:
        tests.append({"op": "test", "path": _path(key), "value": there[key]})
    return tests


def _annotated(seen: Json, notes: Notes) -> list[Json]:
    there = seen["metadata"].get("annotations")
    wanted = {key: text for key, text in notes.items() if text is not None}
    if there is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": wanted}]
    gone = [key for key, text in notes.items() if text is None and key in there]
    return [
        *({"op": "add", "path": _path(key), "value": text} for key, text in wanted.items()),
        *({"op": "remove", "path": _path(key)} for key in gone),
    ]


def _path(key: str) -> str:
    return f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}"


def token_of(item: Json) -> str:
    """Differs after every write of its spec, whoever made it, and of our mark.

    Not the resourceVersion: who only writes a status, a label or a note has moved no traffic.
    """
    told = json.dumps([item["spec"], str(mark_of(item))], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def must_be_as_seen(path: str, item: Json, seen: str | None, mark: Mark | None) -> None:
    """StaleWrite where the object is not the one that the look before this write saw.

    seen: its token then; None where nobody looked. mark: of this write, if it is one. An attempt
    that was given up may have written the same in between: it is ours.
    """
    if seen in (None, "", token_of(item)) or (mark is not None and mark_of(item) == mark):
        return
    raise changed_since(path, item)


def changed_since(path: str, item: Json) -> StaleWrite:
    """The refusal to overwrite what nobody here has seen."""
    return StaleWrite(
        f"{path} was changed since it was looked at, by {last_writer(item)}",
        effect="Nothing was written.",
        next_step="If nobody else is at work there, retry-step looks again.",
    )


def set_status(api: Api, path: str, mark: Mark, change: Callable[[Json], Sequence[Json]]) -> Json:
    """The same for the status of an object, which carries no mark: that of the object is asked.

    change: nothing is written where it returns no operation. Raises as `compare_and_set` does.
    """
    for _ in range(TRIES):
        seen = api.get(path)
        _refuse_if_stale(path, mark, mark_of(seen))
        if not (operations := change(seen)):
            return seen
        try:
            return api.patch(f"{path}/status", [*_tests(seen, MARK), *operations])
        except Conflict:
            time.sleep(PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 - no secret hangs on it
    raise TemporaryError(
        f"{path} is blocked: somebody wrote it at each of {TRIES} tries",
        effect="Nothing was written by this step.",
        next_step="This is tried again by itself; if it stays so, stop that writer.",
    )
