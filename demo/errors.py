"""The one error of the demo's world; not the product's, for the world is what lies outside it."""


class WorldError(RuntimeError):
    """A real part did not start, refused what it was told, or ended by itself."""
