"""Trained models of decisions, on whatever database the engine opens."""

from sqlalchemy import Engine, select, update

from activities.integrations.sql.engine import answered
from activities.integrations.sql.statements import put
from activities.integrations.sql.tables import models
from rollback_manager.decision.model import DecisionModel
from rollback_manager.errors import NotFound


class SqlModels:
    """Models in SQL; safe to share between threads. Raises as `SqlRecords` does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(writes=True)

    def keep_model(self, env: str, model: DecisionModel) -> DecisionModel:
        """Keep it under the next version of its environment, and use it from now on.

        One that was learnt just so is that one again, however often it is tried.
        """
        mine = models.c.env == env
        newest = select(models.c.model).where(mine).order_by(models.c.version.desc()).limit(1)
        with answered(self._engine), self._writing.begin() as connection:
            before = _read(connection.execute(newest).scalar())
            kept = before if before and before.learnt == model.learnt else _next(model, before)
            connection.execute(update(models).where(mine).values(in_use=False))
            row = {"env": env, "version": kept.version, "in_use": True}
            put(connection, models, {**row, "model": kept.model_dump_json()})
        return kept

    def use_model(self, env: str, version: int) -> None:
        """Use that one from now on, 0: none. Raises NotFound for one that is not kept."""
        with answered(self._engine), self._writing.begin() as connection:
            kept = connection.scalars(select(models.c.version).where(models.c.env == env)).all()
            if version and version not in kept:
                raise _not_kept(env, version, sorted(kept))
            this = models.c.version == version
            connection.execute(update(models).where(models.c.env == env).values(in_use=this))

    def model_in_use(self, env: str) -> DecisionModel | None:
        """The one that is asked; None where none is."""
        asked = select(models.c.model).where(models.c.env == env, models.c.in_use)
        with answered(self._engine), self._engine.connect() as connection:
            return _read(connection.execute(asked).scalar())


def _read(text: str | None) -> DecisionModel | None:
    return DecisionModel.model_validate_json(text) if text else None


def _next(model: DecisionModel, before: DecisionModel | None) -> DecisionModel:
    return model.model_copy(update={"version": before.version + 1 if before else 1})


def _not_kept(env: str, version: int, kept: list[int]) -> NotFound:
    names = ", ".join(map(str, kept)) or "none"
    return NotFound(
        f"no model {version} is kept in {env}; kept: {names}",
        effect="Nothing was changed; the same model is asked as before.",
        next_step=f"Train one: rollback-manager decisions train --keep --env {env}",
    )
