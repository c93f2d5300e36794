"""The records of decisions, read and labelled; the thinking about them is the domain's."""

from temporalio import activity

from activities.incidents import Ledger
from activities.past import Models
from activities.step import now
from rollback_manager.catalogue import Catalogue
from rollback_manager.decision import asked
from rollback_manager.decision.asked import (
    Ask,
    Decisions,
    DecisionsRequest,
    LabelIncident,
    ListDecisions,
    MeasureQuality,
    ReplayPolicy,
    TrainModel,
    UseModel,
)
from rollback_manager.decision.ledger import Entry, examples, quality, replay
from rollback_manager.decision.model import DecisionModel, NotTrained, train
from rollback_manager.errors import NotFound

MOST_READ = 2000
"""Decisions that one answer rests on, the newest: some 20 MB of records, a second's work."""


class DecisionActivities:
    """The one activity behind the verb `decisions`."""

    def __init__(self, catalogue: Catalogue, ledger: Ledger, models: Models) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._models = models

    @activity.defn(no_thread_cancel_exception=True)
    def ask_decisions(self, request: DecisionsRequest) -> Decisions:
        """Does what is asked. Raises NotFound for names that nobody knows."""
        ask = request.ask
        self._must_know(ask)
        match ask:
            case ListDecisions():
                return self._listed(ask)
            case LabelIncident():
                entry = self._ledger.label_decision(ask.env, ask.incident, ask.label)
                return self._answer(ask, 1, rows=(asked.row(entry),))
            case MeasureQuality():
                entries = self._labelled(ask)
                return self._answer(ask, len(entries), quality=quality(entries))
            case TrainModel():
                return self._trained(ask)
            case UseModel():
                return self._used(ask)
            case ReplayPolicy():
                return self._replayed(ask)

    def _listed(self, ask: ListDecisions) -> Decisions:
        entries = self._ledger.decisions(ask.env, ask.service or None, most=ask.limit)
        rows = tuple(asked.row(entry) for entry in reversed(entries))
        return self._answer(ask, len(rows), rows=rows)

    def _trained(self, ask: TrainModel) -> Decisions:
        entries = self._labelled(ask)
        model = train(examples(entries), self._catalogue.environments[ask.env].decisions)
        if isinstance(model, DecisionModel):
            model = model.model_copy(update={"trained_at": now(), "trained_by": ask.by})
            model = self._models.keep_model(ask.env, model) if ask.keep else model
        return self._answer(ask, len(entries), model=model)

    def _used(self, ask: UseModel) -> Decisions:
        if ask.version is not None:
            self._models.use_model(ask.env, ask.version)
        model = self._models.model_in_use(ask.env)
        return self._answer(ask, 0, model=model or NotTrained(because="no model is in use"))

    def _replayed(self, ask: ReplayPolicy) -> Decisions:
        entries = self._ledger.decisions(ask.env, ask.service or None, most=MOST_READ)
        changed = replay(ask.policy, entries)
        shown = tuple(asked.shortened(one) for one in reversed(changed[-asked.MOST_ROWS :]))
        return self._answer(ask, len(entries), changed=shown, changed_in_all=len(changed))

    def _labelled(self, ask: MeasureQuality | TrainModel) -> list[Entry]:
        service = ask.service or None
        return list(self._ledger.decisions(ask.env, service, most=MOST_READ, labelled=True))

    def _answer(self, ask: Ask, read: int, **found: object) -> Decisions:
        kept, labelled = self._ledger.decisions_kept(ask.env, ask.service or None)
        return Decisions.model_validate({"kept": kept, "labelled": labelled, "read": read, **found})

    def _must_know(self, ask: Ask) -> None:
        if ask.env not in self._catalogue.environments:
            known = ", ".join(sorted(self._catalogue.environments)) or "none"
            raise NotFound(
                f"no environment {ask.env!r} in the catalogue; known: {known}",
                effect="Nothing was changed.",
                next_step="Name one of these: --env E",
            )
        if ask.service:
            self._catalogue.placement(ask.env, ask.service)  # refuses names that it lacks
