"""The ledger of decisions, on whatever database the engine opens."""

import logging
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Engine, case, exists, func, select, update

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import insert
from activities.integrations.sql.tables import decisions
from rollback_manager.decision.ledger import Entry, Label
from rollback_manager.decision.levels import PastAlarm, alarms_in
from rollback_manager.errors import NotFound

log = logging.getLogger(__name__)


class SqlDecisions:
    """Decisions in SQL; safe to share between threads. Raises as `SqlRecords` does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def keep_decision(self, env: str, service: str, entry: Entry) -> None:
        """Keep it; the same judgement made again, later, replaces it and keeps its label."""
        decision = entry.decision
        row = {
            "env": env,
            "service": service,
            "incident": decision.incident,
            "judgement": entry.judgement or decision.decided_at.isoformat(),
            "decided_at": decision.decided_at,
            "action": decision.action.value,
            "entry": entry.model_dump_json(exclude={"label"}),
        }
        key = [column.name for column in decisions.primary_key]
        said = {name: value for name, value in row.items() if name not in key}
        with answered(self._engine), self._writing.begin() as connection:
            kept = insert(connection, decisions).values(row)
            later = decisions.c.decided_at <= decision.decided_at
            connection.execute(
                kept.on_conflict_do_update(index_elements=key, set_=said, where=later)
            )

    def decisions(
        self,
        env: str,
        service: str | None = None,
        *,
        most: int | None = None,
        labelled: bool = False,
    ) -> list[Entry]:
        """The newest `most`, oldest first; if `labelled`, of those with a label alone."""
        asked = select(decisions).where(*_of(env, service)).order_by(decisions.c.decided_at.desc())
        if labelled:
            asked = asked.where(decisions.c.label.is_not(None))
        with answered(self._engine), self._engine.connect() as connection:
            rows = connection.execute(asked.limit(most)).mappings().all()
            return [_entry(dict(row)) for row in reversed(rows)]

    def decisions_kept(self, env: str, service: str | None = None) -> tuple[int, int]:
        """How many there are, and how many of them have a label."""
        asked = select(func.count(), func.count(decisions.c.label)).where(*_of(env, service))
        with answered(self._engine), self._engine.connect() as connection:
            kept, labelled = connection.execute(asked).one()
        return int(kept), int(labelled)

    def past_alarms(self, env: str, most: int) -> list[PastAlarm]:
        """Of the `most` incidents that were labelled last, at their first and last judgement."""
        newest = (
            select(decisions.c.incident, decisions.c.label)
            .where(decisions.c.env == env, decisions.c.label.is_not(None))
            .order_by(decisions.c.decided_at.desc())
            .limit(most)
            .subquery()
        )
        before = decisions.alias()  # an incident's id names its environment and service
        earlier = exists().where(
            before.c.incident == decisions.c.incident,
            before.c.decided_at < decisions.c.decided_at,
        )
        asked = (
            select(decisions.c.entry, newest.c.label)
            .join(newest, decisions.c.incident == newest.c.incident)
            .where(decisions.c.label.is_not(None) | ~earlier)
        )
        with answered(self._engine), self._engine.connect() as connection:
            rows = connection.execute(asked).all()
        return _alarms([(entry, said) for entry, said in rows])

    def label_decision(self, env: str, incident: str, label: Label) -> Entry:
        """Label the incident's newest decision, and it alone; NotFound where there is none."""
        of_incident = (decisions.c.env == env) & (decisions.c.incident == incident)
        asked = select(decisions).where(of_incident).order_by(decisions.c.decided_at.desc())
        with answered(self._engine), self._writing.begin() as connection:
            newest = connection.execute(asked.limit(1)).mappings().first()
            if newest is None:
                raise _never_decided(incident)
            this = decisions.c.judgement == newest["judgement"]
            said = case((this, label.model_dump_json()), else_=None)
            connection.execute(update(decisions).where(of_incident).values(label=said))
            return _entry(dict(newest)).model_copy(update={"label": label})


def _alarms(rows: Sequence[tuple[str, str]]) -> list[PastAlarm]:
    """Those that can be read: one record of another build must not take all the others' past."""
    found, unread = list[PastAlarm](), 0
    for entry, said in rows:
        try:
            found += alarms_in(entry, Label.model_validate_json(said))
        except ValidationError:
            unread += 1
    if unread:
        log.warning(
            "%d of %d labelled judgements cannot be read by this build: past alarms without them",
            unread,
            len(rows),
        )
    return found


def _of(env: str, service: str | None) -> list[ColumnElement[bool]]:
    of_service = [] if service is None else [decisions.c.service == service]
    return [decisions.c.env == env, *of_service]


def _entry(row: dict[str, Any]) -> Entry:
    entry = Entry.model_validate_json(row["entry"])
    label = row["label"]
    return entry.model_copy(update={"label": Label.model_validate_json(label) if label else None})


def _never_decided(incident: str) -> NotFound:
    env = incident.split("/")[1]
    return NotFound(
        f"no decision about {incident} is recorded",
        effect="Nothing was changed.",
        next_step=f"See what is recorded: rollback-manager decisions list --env {env}",
    )
