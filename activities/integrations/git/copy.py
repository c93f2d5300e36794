"""A bare, shallow copy of a deployed branch, which is read, and given back with one commit more.

Nothing is ever checked out: files are read and written as objects, so no link is followed, no
filter runs, and no path leaves the copy. The remote gets one new branch, by compare-and-set.
"""

from dataclasses import dataclass

from activities.integrations.git.command import Command, Limits
from rollback_manager.errors import Blocked, PermanentError
from rollback_manager.git_names import Judged, judge
from rollback_manager.git_source import OURS, GitSource
from rollback_manager.git_text import MOST_CHARACTERS, NotThere
from rollback_manager.revert import OpenRevert, Question, is_of, message_of

SERVED = "git -c core.hooksPath=/dev/null -c core.alternateRefsCommand=: receive-pack"
"""A repository on this machine is served by us: none of its hooks or commands may run."""
LOOKED_BACK = 20
"""Commits of a branch of ours in which ours is looked for: people may have added to it."""


@dataclass(frozen=True)
class Copy:
    """A bare, shallow copy of the deployed branch."""

    git: Command
    source: GitSource
    limits: Limits

    def make(self) -> None:
        """Without the files' contents where the remote can leave them out: ours are few."""
        if self._at_remote(self.source.branch) is None:
            raise PermanentError(
                f"{self.source.repository} has no branch {self.source.branch}",
                effect="Nothing was pushed; production is unchanged.",
                next_step="Correct `git.branch` in the catalogue.",
            )
        options = ("--bare", "--depth=1", "--filter=blob:none", "--no-tags", "--single-branch")
        asked = (f"--branch={self.source.branch}", "--template=", "--", self.source.url, "copy")
        self.git("clone", "--quiet", *options, *asked, within_s=self.limits.copy_s)

    def head(self) -> str:
        """The commit that is deployed."""
        return self._in("rev-parse", "HEAD").strip()

    def judged(self, question: Question) -> Judged:
        """Which release its files name."""
        texts = {edit.file: self._text(edit.file) for edit in self.source.edits}
        return judge(self.source.edits, texts, question.bad, question.good)

    def ours(self, branch: str, op_id: str) -> str | None:
        """The commit that an earlier attempt pushed. Raises Blocked if the branch is another's."""
        if self._at_remote(branch) is None:
            return None
        self._in(
            "fetch", "--quiet", f"--depth={LOOKED_BACK}", "--filter=blob:none", "--no-tags",
            "origin", f"refs/heads/{branch}:refs/proposed", within_s=self.limits.copy_s,
        )  # fmt: skip
        log = self._in("log", f"-{LOOKED_BACK}", "--format=%H%n%B%x00", "refs/proposed")
        for one in log.split("\0"):
            commit, _, message = one.strip().partition("\n")
            if is_of(message, op_id):
                return commit
        raise Blocked(
            f"the branch {branch} of {self.source.repository} is there, and not by this operation",
            effect="Nothing was pushed, nothing of theirs overwritten.",
            next_step="Merge or delete that branch, then retry; or make the change by hand.",
        )

    def pushed(self, branch: str, request: OpenRevert, judged: Judged) -> str:
        """One commit, under a name that nobody has: the remote refuses it otherwise."""
        if branch == self.source.branch or not branch.startswith(OURS):
            raise PermanentError(f"{branch} is no branch of ours")
        self._in("read-tree", "HEAD")
        for file, text in judged.texts.items():
            blob = self._in("hash-object", "-w", "--stdin", given=text).strip()
            mode = self._entry(file)[0]
            self._in("update-index", "--cacheinfo", f"{mode},{blob},{file}")
        tree = self._in("write-tree", "--missing-ok").strip()
        signed = ("-S",) if self.source.signing_key else ()
        words = ("commit-tree", *signed, tree, "-p", "HEAD", "-F", "-")
        commit = self._in(*words, given=message_of(request)).strip()
        target = f"refs/heads/{branch}"
        served = (f"--receive-pack={SERVED}",) if self.source.scheme == "file" else ()
        self._in(  # a lease on nothing: it may create the branch, and do nothing else
            "push", "--quiet", "--no-verify", f"--force-with-lease={target}:", *served,
            "origin", f"{commit}:{target}", within_s=self.limits.copy_s,
        )  # fmt: skip
        return commit

    def _at_remote(self, branch: str) -> str | None:
        name = f"refs/heads/{branch}"
        said = self.git(
            "ls-remote", "--heads", "--", self.source.url, name, within_s=self.limits.ask_s
        )
        rows = (line.split("\t") for line in said.splitlines())
        return next((row[0] for row in rows if row[1:] == [name]), None)

    def _text(self, file: str) -> str | NotThere:
        try:
            _, blob = self._entry(file)
        except NotThere as nothing:
            return nothing
        if int(self._in("cat-file", "-s", blob, within_s=self.limits.copy_s)) > 4 * MOST_CHARACTERS:
            return NotThere("the file is too large to be what names a version")
        text = self._in("cat-file", "blob", blob)
        return text if text.isascii() or _is_utf8(text) else NotThere("it is not UTF-8")

    def _entry(self, file: str) -> tuple[str, str]:
        """Mode and object of a plain file; a link is none, nor is what lies behind one."""
        row = self._in("ls-tree", "-z", "HEAD", "--", file).rstrip("\0")
        if not row:
            raise NotThere("there is no such file")
        mode, kind, blob = row.partition("\t")[0].split()
        if kind != "blob" or mode not in ("100644", "100755"):
            raise NotThere("it is no plain file, but a link, a folder or another repository")
        return mode, blob

    def _in(self, verb: str, *arguments: str, within_s: float = 20, given: str = "") -> str:
        return self.git("--git-dir=copy", verb, *arguments, within_s=within_s, given=given)


def _is_utf8(text: str) -> bool:
    """What was no UTF-8 was read as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
