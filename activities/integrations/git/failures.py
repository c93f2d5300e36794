"""What git says when it fails, as our errors; git knows no codes, so its words are read."""

import re
from dataclasses import dataclass

from rollback_manager.errors import Blocked, PermanentError, RollbackError, Unreachable

LONGEST = 300


@dataclass(frozen=True)
class Failed:
    """A command that ended badly; words: what it said, without secrets."""

    verb: str
    repository: str
    code: int
    words: str


@dataclass(frozen=True)
class _Row:
    words: str
    kind: type[PermanentError]
    what: str
    next_step: str


REFUSED = (
    _Row(
        r"authentication failed|could not read (username|password)|error: 40[13]|permission denied"
        r"|access denied|host key verification failed|publickey|not allowed to push|write access",
        PermanentError,
        "refuses us",
        "Give the bot's token or key the right to read and push branches there.",
    ),
    _Row(
        r"dubious ownership",
        PermanentError,
        "belongs to another user, so git does not trust it",
        "Let the worker run as its owner, or name its URL instead of its path.",
    ),
    _Row(
        r"not found|does not appear to be a git repository|does not exist|not a git repository"
        r"|no such file|unable to find remote",
        PermanentError,
        "is not there, or may not be seen with this token",
        "Correct `git.repository` in the catalogue, or the token's rights.",
    ),
    _Row(
        r"\[remote rejected\]|pre-receive hook declined|protected branch",
        Blocked,
        "takes no such branch",
        "Allow the bot to create branches below rollback/ there.",
    ),
    _Row(
        r"redirect|error: 30\d|certificate",
        PermanentError,
        "is elsewhere, or not who it says",
        "Correct `git.repository` in the catalogue, or the host's certificate.",
    ),
)
LOST_THE_RACE = re.compile(r"\[rejected\]|stale info|cannot lock ref|reference already exists")
ASKING = ("ls-remote", "clone", "fetch", "push")


def told(failed: Failed) -> RollbackError:
    """Whether trying again helps, in words for people."""
    words, own = _words(failed.words), failed.words.replace(failed.repository, "")
    if failed.verb == "commit-tree":
        return PermanentError(
            f"the commit cannot be signed: {words}",
            effect="Nothing was pushed; production is unchanged.",
            next_step="Put the key where `git.signing_key` says, readable for the worker's user.",
        )
    if LOST_THE_RACE.search(own):
        return Unreachable(
            f"somebody else pushed to {failed.repository} at the same moment: {words}",
            effect="Nothing of theirs was overwritten.",
            next_step="This is tried again, and finds what is there now.",
        )
    for row in REFUSED:
        if re.search(row.words, own, re.IGNORECASE):
            return row.kind(
                f"{failed.repository} {row.what}: {words}",
                effect="Nothing was pushed; production is unchanged.",
                next_step=row.next_step,
            )
    if failed.verb in ASKING:
        return Unreachable(
            f"git {failed.verb} with {failed.repository} failed: {words}",
            effect="Nothing is known to have been proposed in Git.",
            next_step="See whether the repository answers; this is tried again.",
        )
    return PermanentError(
        f"git {failed.verb} ended with {failed.code}: {words}",
        effect="Nothing was pushed; production is unchanged.",
        next_step="Make the change by hand, and tell us of it: it should not happen.",
    )


def _words(said: str) -> str:
    """The lines that say what is wrong, or else all of them; one line, printable, not long."""
    lines = [line.strip() for line in said.splitlines()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "!"))] or lines
    text = " ".join(" ".join(telling).split())
    return "".join(c for c in text if c.isprintable())[:LONGEST] or "it said nothing"
