"""The launcher: finds the verb, and imports nothing before it knows which one is meant."""

import os
import sys
from difflib import get_close_matches
from importlib import import_module

from rollback_manager.verbs import VERBS, VERBS_BY_GROUP, find_folders, run

USAGE_ERROR = 2


def main() -> None:
    """Run the verb that the command line names."""
    match sys.argv[1:]:
        case [] | ["-h" | "--help" | "help", *_]:
            show(usage())
        case ["-V" | "--version", *_]:
            show(version())
        case [verb, *rest] if verb in VERBS:
            run(verb, rest)
        case [unknown, *_]:
            print(no_such(unknown), file=sys.stderr)
            sys.exit(USAGE_ERROR)


def show(text: str) -> None:
    """Print it; a reader who has left, as `head` does, is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the end flushes once more


def usage() -> str:
    """List the verbs by the moment in which they are needed."""
    lines = ["Usage: rollback-manager <verb> [options]", "       rollback-manager <verb> --help"]
    for group, verbs in VERBS_BY_GROUP.items():
        lines += ["", f"{group}:"]
        lines += [f"  {name:<14} {verb.help}" for name, verb in verbs.items()]
    return "\n".join(lines)


def version() -> str:
    """Name the installed version, for reports of errors."""
    from importlib import metadata  # it costs as much as all the rest of --help

    return f"rollback-manager {metadata.version('rollback-manager')}"


def no_such(verb: str) -> str:
    """Say that a verb does not exist, and which one may have been meant."""
    close = get_close_matches(verb, VERBS, n=1)
    suggestion = f"Did you mean '{close[0]}'? " if close else ""
    return (
        f"rollback-manager: there is no verb '{verb}'. Nothing was changed.\n"
        f"{suggestion}All verbs: rollback-manager --help"
    )


def kubectl() -> None:
    """Run `kubectl rollback`, which finds this command by its name, kubectl-rollback."""
    find_folders()
    import_module("starters.kubectl_plugin").main()


if __name__ == "__main__":
    main()
