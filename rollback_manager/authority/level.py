"""The two security levels of an environment (security.md, introduction). Pure."""

from enum import StrEnum


class SecurityLevel(StrEnum):
    """How decisions are proven in an environment; never mixed within one."""

    LOCAL = "local"
    """One machine, one operator, nothing to set up: votes count unsigned, and it is said."""
    SECURED = "secured"
    """Only what the gateway signed counts, verified inside the workflow."""
