"""supervisord's answers read: instances by version, and what a version's definition is."""

import hashlib
import json
import re
from typing import Any

from rollback_manager.errors import PermanentError
from rollback_manager.values import Value

UP = {"STARTING", "RUNNING", "BACKOFF"}
"""supervisord's own RUNNING_STATES: BACKOFF is dead for a moment and will be started again."""
DIED = {"EXITED", "FATAL", "UNKNOWN"}
"""Down, and nobody stopped it."""
PORT = re.compile(r"[_-](\d{1,5})$")
DEFINITION = ("command", "directory", "uid")
"""What makes one program another; supervisord does not tell the environment that it sets."""


class Instance(Value):
    """One process. number: the port in which its name ends. start: in Unix seconds, 0 if never."""

    group: str
    name: str
    state: str
    number: int
    start: int = 0

    @property
    def full_name(self) -> str:
        """As supervisord's calls and supervisorctl know it."""
        return f"{self.group}:{self.name}"

    @property
    def up(self) -> bool:
        """Whether supervisord keeps it running."""
        return self.state in UP

    @property
    def died(self) -> bool:
        """Whether it should run, and does not."""
        return self.state in DIED


def instances(program: str, processes: list[dict[str, Any]]) -> dict[str, list[Instance]]:
    """Version → its instances, lowest number first, of `getAllProcessInfo`'s answer."""
    found: dict[str, list[Instance]] = {}
    for one in processes:
        group, name = str(one["group"]), str(one["name"])
        if version := _version(program, group):
            instance = Instance(
                group=group,
                name=name,
                state=str(one["statename"]),
                number=_number(name),
                start=int(one.get("start", 0)),
            )
            found.setdefault(version, []).append(instance)
    return {version: sorted(row, key=lambda one: one.number) for version, row in found.items()}


def digests(program: str, definitions: list[dict[str, Any]]) -> dict[str, str]:
    """Version → `sha256:` of how it is started, of `getAllConfigInfo`'s answer.

    The same for all instances, which differ in their number only, and wherever the numbers begin.
    It names the command, not the content of the files that the command runs.
    """
    found: dict[str, set[str]] = {}
    for one in definitions:
        if version := _version(program, str(one["group"])):
            found.setdefault(version, set()).add(_definition(one))
    return {version: _sha256(texts) for version, texts in found.items()}


def _version(program: str, group: str) -> str:
    return group.removeprefix(f"{program}-") if group.startswith(f"{program}-") else ""


def _number(name: str) -> int:
    match = PORT.search(name)
    if match is None:
        raise PermanentError(
            f"process {name} of supervisord does not end in _ and the port that it listens on",
            effect="Nothing was changed.",
            next_step="Set process_name=%(program_name)s_%(process_num)d and numprocs_start=PORT.",
        )
    return int(match[1])


def _definition(one: dict[str, Any]) -> str:
    number = rf"(?<!\d){_number(str(one['name']))}(?!\d)"
    kept = {name: re.sub(number, "PORT", str(one.get(name))) for name in DEFINITION}
    return json.dumps(kept, sort_keys=True)


def _sha256(texts: set[str]) -> str:
    return "sha256:" + hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()
