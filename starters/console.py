"""How a verb ends: its answer on stdout, the talk on stderr, an exit code that means something.

Nothing heavy is imported before a verb runs: `--help` must be there at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import NoReturn, TextIO, cast

import typer

from rollback_manager.errors import RollbackError
from starters import refusals, settings
from starters.answer import Answer as Answer
from starters.ci.github import harmless, harmless_json
from starters.ci.job import this_job
from starters.refusals import EXIT_CODES, INTERRUPTED, NO_BAD_END, USAGE

TYPED_WRONG = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""Click's UsageError: Typer carries a Click of its own and gives out this one subclass only."""
SECURITY = "local"
GATEWAY = "gateway"
"""What is secured, and how, the gateway knows: answers that are of a rollback name its level."""
SECURITY_LINE = "security: local – one operator, no sign-in, loopback only; see doctor"


Verb = Callable[[], Coroutine[None, None, Answer]]


def run(verb: Verb, *, as_json: bool, talks: bool = True) -> NoReturn:
    """Carry out `verb`, say its answer, and end the command with its code.

    talks: it speaks to Temporal, so the level of security is named first.
    """
    if talks:
        say_security()
    finish(answered(verb, as_json=as_json), as_json=as_json)


def say_security() -> None:
    """As whom this command is about to speak."""
    by = settings.read().by_gateway
    say(f"security: by the gateway {by.url}, as who signs in there" if by else SECURITY_LINE)


def answered(verb: Verb, *, as_json: bool) -> Answer:
    """The answer of `verb`; a refusal is told in its three parts and ends the command."""
    try:
        return asyncio.run(verb())
    except RollbackError as error:
        refuse(error, as_json=as_json)
    except KeyboardInterrupt:
        refuse(refusals.interrupted(), as_json=as_json, code=INTERRUPTED)
    except Exception as error:  # noqa: BLE001 -- the process's edge: nobody above can act on it
        refuse(refusals.unexpected(error), as_json=as_json)


def finish(answer: Answer, *, as_json: bool) -> NoReturn:
    """Print the answer and leave with its code; a bad end is told to people in any case."""
    if job := this_job():
        from starters.ci import telling

        telling.ended(job, answer)
    if as_json:
        if answer.code not in NO_BAD_END:
            say(answer.text)
        _show_json(answer.document, answer.code)
    elif answer.text:
        show(answer.text)
    raise typer.Exit(answer.code)


def refuse(error: RollbackError, *, as_json: bool, code: int | None = None) -> NoReturn:
    """Say what happened, what it means for production and what to type next, and leave."""
    kind = refusals.kind(error)
    code = EXIT_CODES.get(kind, 1) if code is None else code
    say(refusals.told(error))
    if job := this_job():
        from starters.ci import telling

        telling.refused(job, refusals.parts(error), code)
    if as_json:
        _show_json({"error": kind, **refusals.parts(error)}, code)
    raise typer.Exit(code)


def say(text: str) -> None:
    """To the person, on stderr."""
    _write(text, sys.stderr)


def show(text: str) -> None:
    """The result, on stdout."""
    _write(text, sys.stdout)


def somebody_is_there() -> bool:
    """Whether a person sits at this terminal and can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str) -> bool:
    """Ask; only `yes` is a yes."""
    return typed(f"{question} Type yes to agree:").lower() == "yes"


def typed(question: str) -> str:
    """Ask; what was typed. Never inside an event loop: Ctrl-C would have to wait there."""
    print(f"{question} ", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip()
    except KeyboardInterrupt:
        say(f"\nLeft by Ctrl-C. {refusals.UNCHANGED}")
        raise typer.Exit(INTERRUPTED) from None


def group() -> typer.Typer:
    """A command line without Rich: its import alone costs as much as all the rest of `--help`."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def single(verb: Callable[..., None]) -> typer.Typer:
    """A command line of one verb."""
    app = group()
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(verb)
    return app


def main(app: typer.Typer) -> NoReturn:
    """Run the command line and leave at once.

    temporalio on CPython 3.11 can abort while the interpreter shuts down, and an abort would
    hide the code that a pipeline reads.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an arrow must not break an ASCII log
    code = _code_of(app)
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):  # the reader has left; the code still counts
            stream.flush()
    os._exit(code)


def _code_of(app: typer.Typer) -> int:
    try:
        return int(app(standalone_mode=False, prog_name=sys.argv[0]) or 0)
    except TYPED_WRONG as error:
        with suppress(typer.Exit):
            refuse(_mistyped(error), as_json="--json" in sys.argv)
        return USAGE
    except typer.Abort:
        return INTERRUPTED


def _mistyped(error: typer.BadParameter) -> RollbackError:
    """Where it is known which sub-verb was meant, the help of that one is named."""
    return refusals.mistyped(
        error.format_message(), error.ctx.command_path if error.ctx else sys.argv[0]
    )


def _runs_on_github() -> bool:
    """Whether the log is read for commands."""
    job = this_job()
    return job is not None and job.is_github


def _show_json(document: Mapping[str, object], code: int) -> None:
    import json

    level = GATEWAY if settings.read().by_gateway else SECURITY
    whole = {"security": level, **document, "exit_code": code}
    text = json.dumps(whole, ensure_ascii=True, separators=(",", ":"))
    print(harmless_json(text) if _runs_on_github() else text, flush=True)


def _write(text: str, stream: TextIO) -> None:
    if not stream.isatty():
        print(harmless(text) if _runs_on_github() else text, file=stream, flush=True)
        return
    from starters.terminal import console

    console(stream).print(text)
