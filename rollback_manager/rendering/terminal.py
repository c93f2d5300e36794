"""How a rollback ended, on a terminal; lists. At most 80 columns, plain text.

The plan and the status block have files of their own. In all of them no state is told by colour or
by a sign alone; what is not known is called unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rollback_manager.progress import EndState, RollbackOutcome, ServiceOutcome
from rollback_manager.release import Release
from rollback_manager.rendering import terminal_fleet, words
from rollback_manager.rendering.layout import command, foreign, labelled, pad, page

if TYPE_CHECKING:  # it brings temporalio, which a rendering never needs
    from rollback_manager.claim import Watched
    from rollback_manager.client import Listed


def outcome(ended: RollbackOutcome) -> str:
    """How it ended: the result, what it means for production, each service, what to do next."""
    result = str(ended.result).replace("_", " ").upper()
    lines = [f"{ended.rollback}   {result}   {foreign(ended.because)}"]
    lines += labelled("production:", [foreign(ended.effect) or words.UNKNOWN])
    several = len(ended.services) > 1
    lines += terminal_fleet.ended(ended.services) if several else []
    for service in ended.services if not several else _apart(ended.services):
        lines += _ended(service)
    unmet = [gate for gate in ended.gates if words.GATES[gate.answer] in {"FAIL", "unclear"}]
    gates = (f"{words.GATES[g.answer]}  {g.gate}: {foreign(g.because)}" for g in unmet)
    lines += labelled("gates:", gates)
    lines += map(words.decision, ended.decisions)
    lines += labelled("not told:", map(foreign, ended.not_told))
    lines += labelled("next:", [ended.next_step or f"rollback-manager report {ended.rollback}"])
    return page(lines)


def listed(runs: Sequence[Listed], watched: Sequence[Watched] = ()) -> str:
    """Orphans, then rollbacks, newest first; ids on lines of their own, for they are copied."""
    left = [orphan for known in watched for orphan in known.orphans]
    states = max(map(len, ["state", *["ORPHAN" for _ in left], *[run.state for run in runs]]))
    rows = [f"{pad('started', 20)}  {pad('state', states)}  services"]
    for orphan in left:
        since = words.day_and_clock(orphan.claimed_at)
        rows.append(f"{since}  {pad('ORPHAN', states)}  {foreign(orphan.service)}")
        rows.append(f"  {foreign(orphan.rollback)} left it at epoch {orphan.epoch}")
        rows += command("  next: ", foreign(orphan.adopt_line))
    for run in runs:
        services = ", ".join(run.services) or words.UNKNOWN
        state = pad(foreign(run.state), states)
        rows.append(f"{words.day_and_clock(run.started_at)}  {state}  {services}")
        rows.append(f"  {foreign(run.rollback)}")
    if not (runs or left):
        rows = ["no rollbacks"]
    for known in (one for one in watched if one.trouble):
        where = f" of {foreign(known.env)}" if known.env else ""
        rows.append(f"orphans{where}: {words.UNKNOWN}: {foreign(known.trouble)}")
    return page(rows)


def releases(of: str, recorded: Sequence[Release]) -> str:
    """The releases of a service, newest first, and what is known of each."""
    if not recorded:
        return page([f"no release of {of} is recorded"])
    versions = max(len("version"), *(len(release.version) for release in recorded))
    rows = [f"{pad('version', versions)}  {pad('standing', 9)}  recorded              digest"]
    for release in recorded:
        rows.append(
            f"{pad(release.version, versions)}  {pad(str(release.standing), 9)}"
            f"  {words.day_and_clock(release.recorded_at)}  {words.image(release.digest)}"
        )
        rows += [f"{pad('', versions)}  {because}" for because in _known(release)]
    return page(rows)


def _known(release: Release) -> Iterator[str]:
    if release.because:
        yield foreign(release.because)
    if release.baseline is not None:
        normal = release.baseline
        yield (
            f"baseline: {words.percent(normal.error_ratio)} of {normal.requests} requests failed,"
            f" P95 {normal.latency_p95_ms:.0f} ms, {words.duration(normal.window_s)}"
        )
    if release.restore_point is not None and release.restore_point.notes:
        yield f"frozen: {'; '.join(map(foreign, release.restore_point.notes))}"


def _apart(services: Sequence[ServiceOutcome]) -> list[ServiceOutcome]:
    """Services of which everything that was found must be read: they are half here, half there."""
    return [one for one in services if one.end in {EndState.MIXED, EndState.UNKNOWN}]


def _ended(service: ServiceOutcome) -> Iterable[str]:
    verified = "verified" if service.verified else "not verified"
    end = str(service.end).replace("_", " ").upper()
    yield f"  {service.service}: {end}, {verified}. {foreign(service.because)}"
    if service.found is not None:
        traffic, ready = service.found.shares, service.found.ready
        yield f"    traffic {words.by_version(traffic, '%')} · ready {words.by_version(ready)}"
