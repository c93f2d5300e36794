"""`decisions`: what was decided, whether it was right, and what another policy would decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from starters import console, labels, naming, policy_file
from starters.console import Answer
from starters.options import By, Env, Json
from starters.refusals import BLOCKED, UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.decision.asked import Ask, Decisions

app = console.group()
OneService = Annotated[
    str | None, typer.Argument(metavar="SERVICE", help="Only of this one; default: of all.")
]


@app.command("list")
def listed(
    service: OneService = None,
    env: Env = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List the decisions, newest first, with their labels."""

    async def verb() -> Answer:
        where, of = _names(env, service)
        from rollback_manager.decision.asked import ListDecisions
        from rollback_manager.rendering import terminal_decisions

        found = await _asked(ListDecisions(env=where, service=of, limit=limit))
        return Answer(terminal_decisions.listed(found), _document(where, found))

    console.run(verb, as_json=as_json)


@app.command()
def label(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="As list prints it.")],
    truth: Annotated[labels.Told, typer.Argument(metavar="WORD", help="true|false|late|missed")],
    note: Annotated[str, typer.Option("--note", help="How you know.")] = "",
    trigger: Annotated[
        str | None,
        typer.Option("--trigger", metavar="KIND", help="missed: what should have fired."),
    ] = None,
    onset: Annotated[
        str | None, typer.Option("--onset", metavar="TIME", help="When trouble began, in ISO 8601.")
    ] = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Say what INCIDENT was.

    A bad release (true) or not (false), seen late, or missed by our triggers.
    """

    async def verb() -> Answer:
        where, service, _ = naming.incident(incident)
        said = labels.label(truth, note, trigger, onset, by)
        from rollback_manager.decision.asked import LabelIncident
        from rollback_manager.rendering import terminal_decisions

        ask = LabelIncident(env=where, service=service, incident=incident, label=said)
        found = await _asked(ask)
        return Answer(terminal_decisions.label(found), _document(where, found))

    console.run(verb, as_json=as_json)


@app.command()
def quality(service: OneService = None, env: Env = None, as_json: Json = False) -> None:
    """Show how good each trigger is, by the labels."""

    async def verb() -> Answer:
        where, of = _names(env, service)
        from rollback_manager.decision.asked import MeasureQuality
        from rollback_manager.rendering import terminal_decisions

        found = await _asked(MeasureQuality(env=where, service=of))
        return Answer(terminal_decisions.quality(found), _document(where, found))

    console.run(verb, as_json=as_json)


@app.command()
def train(
    env: Env = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", dir_okay=False, help="The model, in JSON.")
    ] = Path("decision-model.json"),
    keep: Annotated[
        bool, typer.Option("--keep", help="And ask it from now on, where the rules are not sure.")
    ] = False,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Train a model from the labels.

    Exit 7 and write nothing where there are too few.
    """

    async def verb() -> Answer:
        where, _ = _names(env, None)
        from rollback_manager.decision.asked import TrainModel
        from rollback_manager.decision.model import DecisionModel
        from rollback_manager.rendering import terminal_decisions

        found = await _asked(TrainModel(env=where, keep=keep, by=by or naming.operator()))
        trained = isinstance(found.model, DecisionModel)
        if found.model is not None and trained:
            _write(out, found.model.model_dump_json(indent=2) + "\n")
        document = {**_document(where, found), "file": str(out) if trained else None}
        text = terminal_decisions.trained(found, str(out))
        return Answer(text, document, 0 if trained else BLOCKED)

    console.run(verb, as_json=as_json)


@app.command()
def model(
    use: Annotated[
        str | None, typer.Option("--use", metavar="VERSION|none", help="Ask that one from now on.")
    ] = None,
    env: Env = None,
    as_json: Json = False,
) -> None:
    """Show the model in use, or use another one, or none.

    It is asked where the rules are not sure.
    """

    async def verb() -> Answer:
        where, _ = _names(env, None)
        version = None if use is None else _version(use)
        from rollback_manager.decision.asked import UseModel
        from rollback_manager.rendering import terminal_decisions

        found = await _asked(UseModel(env=where, version=version))
        return Answer(terminal_decisions.model(found), _document(where, found))

    console.run(verb, as_json=as_json)


@app.command()
def replay(
    policy: Annotated[
        Path, typer.Option("--policy", metavar="FILE", help="As `decisions` in the catalogue.")
    ],
    service: OneService = None,
    env: Env = None,
    as_json: Json = False,
) -> None:
    """Show which past verdicts another policy would change, and why.

    Changes nothing. Exit 2 where FILE cannot be read or has mistakes.
    """

    async def verb() -> Answer:
        where, of = _names(env, service)
        other = policy_file.read(policy)
        from rollback_manager.decision.asked import ReplayPolicy
        from rollback_manager.rendering import terminal_decisions

        found = await _asked(ReplayPolicy(env=where, service=of, policy=other))
        return Answer(terminal_decisions.replayed(found), _document(where, found))

    console.run(verb, as_json=as_json)


def _names(env: str | None, service: str | None) -> tuple[str, str]:
    return naming.environment(env), naming.named("service", service) if service else ""


def _version(typed: str) -> int:
    """The version of a model; 0 for none."""
    if typed == "none" or (typed.isascii() and typed.isdigit() and 0 < len(typed) < 10):
        return 0 if typed == "none" else int(typed)
    raise UsageError(
        f"{typed[:40]!r} is no version of a model",
        effect=UNCHANGED,
        next_step="Write a number, as train --keep printed it: --use 3, or --use none",
    )


async def _asked(ask: Ask) -> Decisions:
    from rollback_manager.decision.asked import DecisionsRequest
    from starters.connection import connected

    async with connected() as client:
        return await client.decisions(DecisionsRequest(ask=ask))


def _document(env: str, found: Decisions) -> dict[str, object]:
    return {"env": env, **found.model_dump(mode="json")}


def _write(file: Path, text: str) -> None:
    """Whole or not at all: half a model must not be read."""
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror}", effect=UNCHANGED, next_step="Name a file: --out FILE"
        ) from error


def main() -> None:
    """Run `rollback-manager decisions`."""
    console.main(app)
