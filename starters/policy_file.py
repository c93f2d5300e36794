"""A policy of decisions in a file of its own, as `decisions replay` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starters.refusals import UNCHANGED, UsageError

if TYPE_CHECKING:
    from rollback_manager.policy import DecisionPolicy


def read(file: Path) -> DecisionPolicy:
    """The policy in `file`, YAML or JSON; each mistake is named with its line."""
    from rollback_manager.written import Mistaken

    try:
        return _policy(file.read_text(encoding="utf-8"), file.name)
    except OSError as error:
        what = f"{file}: {error.strerror}"
    except UnicodeDecodeError:
        what = f"{file}: it is not UTF-8 text"
    except Mistaken as mistaken:
        what = "\n".join(mistaken.lines)
    raise UsageError(
        what,
        effect=UNCHANGED,
        next_step="Mend it, then again. The fields: rollback-manager catalogue schema"
        " (DecisionPolicy)",
    )


def _policy(text: str, name: str) -> DecisionPolicy:
    from ruamel.yaml.comments import CommentedMap

    from rollback_manager import written
    from rollback_manager.policy import DecisionPolicy
    from rollback_manager.policy_sense import senseless_decisions

    tree = written.parsed(text, name, "fields of `decisions`")
    if list(tree) == ["decisions"] and isinstance(tree["decisions"], CommentedMap):
        tree = tree["decisions"]  # as it stands in the catalogue, heading and all
    policy = written.read(DecisionPolicy, tree, name)
    if wrong := [
        f"{name}:{written.at(tree, field)}: {why}" for field, why in senseless_decisions(policy)
    ]:
        raise written.Mistaken(wrong)
    return policy
