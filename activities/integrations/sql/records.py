"""The role of the records, on whatever database the engine opens."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, delete, func, select, update

from activities.integrations.sql.decisions import SqlDecisions
from activities.integrations.sql.engine import answered
from activities.integrations.sql.freezes import SqlFreezes
from activities.integrations.sql.frozen import SqlFrozen
from activities.integrations.sql.glass import SqlGlasses
from activities.integrations.sql.models import SqlModels
from activities.integrations.sql.numbers import SqlNumbers
from activities.integrations.sql.statements import insert, put
from activities.integrations.sql.tables import claims, epochs, outcomes, releases
from activities.integrations.sql.warm_ups import SqlWarmUps
from activities.records import PastRollback
from rollback_manager.claim import UNSAID, Claim, Purpose
from rollback_manager.errors import NotFound
from rollback_manager.progress import ServiceOutcome
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from rollback_manager.values import Value

MOST_PAST = 100
MOST_YOUNG = 20
"""Of a service: the release that is watched, what it replaced, and older ones in case of need."""


class SqlRecords(
    SqlDecisions, SqlModels, SqlWarmUps, SqlNumbers, SqlFrozen, SqlFreezes, SqlGlasses
):
    """All that must outlive a process, in SQL; safe to share between threads.

    Every method raises Unreachable while the database does not answer.
    """

    def releases(self, env: str, service: str) -> list[Release]:
        """All recorded releases, newest first."""
        asked = (
            select(releases)
            .where(releases.c.env == env, releases.c.service == service)
            .order_by(releases.c.recorded_at.desc(), releases.c.version.desc())
        )
        with answered(self._engine), self._engine.connect() as connection:
            return [_release(dict(row)) for row in connection.execute(asked).mappings()]

    def young(self, env: str, since: datetime) -> dict[str, list[Release]]:
        """By service, of those with a release since then: the newest MOST_YOUNG, newest first."""
        latest = select(releases.c.service).where(
            releases.c.env == env, releases.c.recorded_at >= since
        )
        order = (releases.c.recorded_at.desc(), releases.c.version.desc())
        place = func.row_number().over(partition_by=releases.c.service, order_by=order)
        numbered = (
            select(releases, place.label("place"))
            .where(releases.c.env == env, releases.c.service.in_(latest))
            .subquery()
        )
        asked = select(numbered).where(numbered.c.place <= MOST_YOUNG).order_by(numbered.c.place)
        found: dict[str, list[Release]] = {}
        with answered(self._engine), self._engine.connect() as connection:
            for row in connection.execute(asked).mappings():
                found.setdefault(row["service"], []).append(_release(dict(row)))
        return found

    def save_release(self, env: str, service: str, release: Release) -> None:
        """Remember a release. The same version again replaces what was recorded, standing too."""
        row = release.model_dump(exclude={"restore_point", "baseline"})
        row |= {
            "env": env,
            "service": service,
            "standing": release.standing.value,  # psycopg would write the name of an enum
            "restore_point": _json(release.restore_point),
            "baseline": _json(release.baseline),
        }
        with answered(self._engine), self._writing.begin() as connection:
            put(connection, releases, row)

    def mark_release(
        self,
        env: str,
        service: str,
        version: str,
        standing: Standing,
        because: str,
        baseline: Baseline | None,
    ) -> None:
        """Change the standing; NotFound when no such release is recorded.

        A baseline of None leaves the recorded one as it is.
        """
        of_service = (releases.c.env == env) & (releases.c.service == service)
        changed = {"standing": standing.value, "because": because}
        if baseline is not None:
            changed["baseline"] = baseline.model_dump_json()
        marked = update(releases).where(of_service, releases.c.version == version).values(changed)
        with answered(self._engine), self._writing.begin() as connection:
            if connection.execute(marked).rowcount == 0:
                known = connection.scalars(select(releases.c.version).where(of_service)).all()
                raise _not_recorded(service, env, version, known)

    def claim(
        self, env: str, service: str, rollback: str, purpose: Purpose = UNSAID, above: int = 0
    ) -> int:
        """Draw the next epoch of the service and note who holds it, in one transaction.

        The same rollback again gets a new, higher epoch; its claim stays one row.
        above: an epoch that a target carries already; the one that is drawn is higher.
        """
        key = {"env": env, "service": service}
        with answered(self._engine), self._writing.begin() as connection:
            epoch = _draw(connection, key, above)
            claim = {"rollback": rollback, "epoch": epoch, "claimed_at": datetime.now(UTC)}
            put(connection, claims, key | claim | purpose.model_dump())
        return epoch

    def claims(self, env: str, service: str | None = None) -> list[Claim]:
        """Every claim that was not given back, of one service or of all."""
        asked = select(claims).where(claims.c.env == env).order_by(claims.c.service, claims.c.epoch)
        if service is not None:
            asked = asked.where(claims.c.service == service)
        with answered(self._engine), self._engine.connect() as connection:
            return [_claim(dict(row)) for row in connection.execute(asked).mappings()]

    def close(self, env: str, rollback: str, outcome: ServiceOutcome, past: PastRollback) -> None:
        """Keep the outcome and give the claim back, in one transaction; again is harmless.

        Where it adopted another one, every older claim of the service ends with its own.
        """
        key = {"env": env, "service": outcome.service, "rollback": rollback}
        row = key | past.model_dump() | {"outcome": outcome.model_dump_json()}
        with answered(self._engine), self._writing.begin() as connection:
            put(connection, outcomes, row)
            connection.execute(delete(claims).filter_by(**key))
            if outcome.adopted and outcome.epoch is not None:  # it held the lock: they run no more
                older = (claims.c.env == env) & (claims.c.service == outcome.service)
                connection.execute(delete(claims).where(older, claims.c.epoch < outcome.epoch))

    def past(self, env: str, service: str) -> list[PastRollback]:
        """Earlier rollbacks of the service, newest first, at most 100."""
        asked = (
            select(*(outcomes.c[name] for name in PastRollback.model_fields))
            .where(outcomes.c.env == env, outcomes.c.service == service)
            .order_by(outcomes.c.finished_at.desc(), outcomes.c.rollback)
            .limit(MOST_PAST)
        )
        with answered(self._engine), self._engine.connect() as connection:
            rows = connection.execute(asked).mappings()
            return [PastRollback.model_validate(dict(row)) for row in rows]


def _draw(connection: Connection, key: dict[str, str], above: int) -> int:
    """One statement: whoever comes second waits for the row, then counts on from the first."""
    first = insert(connection, epochs).values(**key, epoch=above + 1)
    last = case((epochs.c.epoch < above, above), else_=epochs.c.epoch)
    drawn = first.on_conflict_do_update(
        index_elements=list(key), set_={"epoch": last + 1}
    ).returning(epochs.c.epoch)
    return int(connection.execute(drawn).scalar_one())


def _claim(row: dict[str, Any]) -> Claim:
    purpose = Purpose(**{name: row.pop(name) for name in Purpose.model_fields})
    return Claim(**row, purpose=purpose)


def _release(row: dict[str, Any]) -> Release:
    kept, baseline = row.pop("restore_point"), row.pop("baseline")
    return Release(
        **row,
        restore_point=RestorePoint.model_validate_json(kept) if kept else None,
        baseline=Baseline.model_validate_json(baseline) if baseline else None,
    )


def _json(value: Value | None) -> str | None:
    return value.model_dump_json() if value else None


def _not_recorded(service: str, env: str, version: str, known: Sequence[str]) -> NotFound:
    names = ", ".join(sorted(known)) or "none"
    return NotFound(
        f"no release {version} of {service} is recorded in {env}; recorded: {names}",
        effect="Nothing was changed.",
        next_step=f"See what is recorded: rollback-manager releases list {service}",
    )
