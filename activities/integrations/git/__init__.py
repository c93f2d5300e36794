"""Git by its own command, and the forges that take requests to merge; see decision 0038."""

from activities.integrations.git.command import Command, Limits
from activities.integrations.git.forge import Forge
from activities.integrations.git.repository import Repository

__all__ = ["Command", "Forge", "Limits", "Repository"]
