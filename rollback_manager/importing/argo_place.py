"""Where in a file of Argo Rollouts a metric stands, and what is said of it there."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from rollback_manager.importing.report import MEND, ImportRefused, Notes, refused

HOLE = re.compile(r"\{\{\s*args\.([^{}\s]+)\s*\}\}")


class Place(NamedTuple):
    """Where in the file, and what its arguments are by themselves."""

    where: str
    notes: Notes
    file: str
    values: Mapping[str, str]

    def approximated(self, says: str) -> None:
        """It has a counterpart that differs."""
        self.notes.approximated(self.where, says)

    def ignored(self, says: str) -> None:
        """It has none."""
        self.notes.ignored(self.where, says)

    def refused(self, what: str) -> ImportRefused:
        """The file is wrong here."""
        return refused(self.file, f"{self.where}: {what}", MEND)

    def filled(self, said: object) -> str:
        """The text with the arguments that have a value; the others stay placeholders."""
        return HOLE.sub(lambda hole: self.values.get(hole[1], hole[0]), str(said or ""))
