"""Which verbs there are, where each lives, and how it is handed over to.

Imports nothing before it knows which one is meant.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

OURS = ("rollback_manager", "workflows", "activities", "workers", "starters", "demo", "proof")


class Verb(NamedTuple):
    """Where a verb lives, and what it does in one line."""

    module: str
    help: str


VERBS_BY_GROUP: dict[str, dict[str, Verb]] = {
    "The way back": {
        "plan": Verb("starters.plan", "show what a rollback would do, and change nothing"),
        "start": Verb("starters.start", "say that a release is bad: decide, and roll back"),
        "watch": Verb("starters.watch", "follow a running rollback until it ends"),
        "status": Verb("starters.status", "show how one rollback stands"),
        "list": Verb("starters.listing", "list the rollbacks, running and ended"),
        "approve": Verb("starters.decide", "agree to the plan that waits for you"),
        "reject": Verb("starters.decide", "refuse the plan that waits for you"),
        "incident": Verb("starters.incident", "report a bad release, see what is known, decide"),
        "budget": Verb("starters.budget", "answer for rollbacks held because many began at once"),
        "pause": Verb("starters.control", "hold still after the action under way"),
        "resume": Verb("starters.control", "go on after a pause"),
        "abort": Verb("starters.control", "stop at a safe point, or restore what was there before"),
        "retry-step": Verb("starters.control", "try the step that failed once more"),
        "skip-step": Verb("starters.control", "go on without the step that failed"),
        "adopt": Verb("starters.adopt", "go on from what an ended rollback left behind"),
    },
    "Afterwards": {
        "report": Verb("starters.report", "say what happened, what it cost, what to change"),
        "audit": Verb("starters.audit", "show who did what, verify and export the audit chain"),
        "review": Verb("starters.review", "look at what was done without approval (break-glass)"),
        "decisions": Verb("starters.decisions", "list, label, measure and replay past verdicts"),
    },
    "Before": {
        "watch-releases": Verb("starters.watch_releases", "show which releases are watched"),
        "releases": Verb("starters.releases", "list the releases, and which are known good"),
        "may-deploy": Verb("starters.may_deploy", "say whether a service may be deployed now"),
        "freeze": Verb("starters.freeze", "let nothing be deployed for a while; rollbacks pass"),
        "unfreeze": Verb("starters.freeze", "end a freeze before its time"),
        "catalogue": Verb("starters.catalogue", "check the catalogue, each mistake with its line"),
    },
    "Set-up": {
        "demo": Verb("demo.run", "roll back a bad release in a small real world"),
        "serve": Verb("workers.serve", "run all that one machine needs: Temporal, Web UI, worker"),
        "worker": Verb("workers.worker", "run a worker for the Temporal that you have"),
        "gateway": Verb("workers.gateway", "answer people and machines over HTTP"),
        "prove": Verb("proof.prove", "prove here that nothing is lost or done twice"),
        "doctor": Verb("starters.doctor", "say what is missing here, and how to get it"),
    },
}
VERBS = {name: verb for verbs in VERBS_BY_GROUP.values() for name, verb in verbs.items()}


EXTRAS = {"demo": "demo", "prove": "demo", "serve": "serve", "gateway": "serve"}
"""Verb → what has to be installed for it, where that is not `worker`."""


def run(verb: str, rest: list[str]) -> None:
    """Hand over to the verb's module, which sees the rest of the command line as its own."""
    find_folders()
    sys.argv = [f"rollback-manager {verb}", *rest]
    try:
        import_module(VERBS[verb].module).main()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OURS:
            raise
        print(not_installed(verb, missing), file=sys.stderr)
        sys.exit(1)


def find_folders() -> None:
    """Put the folders beside ours on the path, first: an editable install's own comes last."""
    here = Path(__file__).resolve().parent
    app = here / "_app"  # a wheel carries the other folders here; a checkout has them at its root
    sys.path.insert(0, str(app if app.is_dir() else here.parent))


def not_installed(verb: str, missing: str) -> str:
    """Say which part was not installed, and the command that installs it."""
    extra = EXTRAS.get(verb, "worker")
    return (
        f"rollback-manager: '{verb}' needs '{missing}', which is not installed.\n"
        f"Install it with: pip install 'rollback-manager[{extra}]'"
    )
