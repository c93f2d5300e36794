"""What must be changed so that the traffic of a service goes elsewhere."""

from enum import StrEnum


class Moves(StrEnum):
    """What moves the traffic of a service from one version to the other."""

    SHARES = "shares"
    """Whole percents, as a proxy splits them."""
    SWITCH = "switch"
    """All of it or nothing."""
    INSTANCES = "instances"
    """It goes to the instances that are there: one more of a version gets its part."""
    CONTROLLER = "controller"
    """The same, and one controller replaces the instances: it has one version at a time."""

    ROLLOUT = "rollout"
    """The same, and that controller has steps and analyses of its own on the way."""


REPLACES = frozenset({Moves.CONTROLLER, Moves.ROLLOUT})
"""One controller replaces the instances."""
FOLLOWS = REPLACES | {Moves.INSTANCES}
"""Nobody splits it: the traffic goes to the instances that are there."""

WORDS = {
    Moves.SHARES: "is split by percents",
    Moves.SWITCH: "goes to one version, all of it or none",
    Moves.INSTANCES: "goes to the instances of both versions alike",
    Moves.CONTROLLER: "goes to the instances of one controller, which replaces them in place",
    Moves.ROLLOUT: "is moved by its own Argo Rollout",
}
"""After "its traffic"."""
