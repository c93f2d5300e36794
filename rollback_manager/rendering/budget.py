"""The budget's one question: for Temporal's Web UI, and for a terminal."""

from rollback_manager.fleet import budget as judging
from rollback_manager.fleet.budget import Budget
from rollback_manager.rendering.layout import foreign, page
from rollback_manager.rendering.words import clock

MOST_NAMED = 20
"""Services that are named; of more than a screen a person reads the count."""


def services(budget: Budget) -> str:
    """The services that are held, the first ones by name, and how many there are."""
    names = sorted({name for one in budget.held for name in one.services})
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{len(names)} services: {', '.join(names[:MOST_NAMED])}{rest}"


def details(budget: Budget) -> str:
    """Current details of the budget's workflow."""
    policy, asked = budget.policy, judging.question(budget)
    limit = f"{policy.budget} rollbacks in {policy.budget_window_s:g} s"
    if not asked:
        return f"### RUNNING · {budget.env}: {limit}\n- **Waits for** nobody"
    everything = '`{"by": "YOUR NAME", "everything": true}`'
    return "\n".join(
        [
            f"### NEEDS A PERSON · {asked}",
            f"- **Held** {foreign(services(budget), 2000)}",
            f"- **They are separate causes** send the update `admit` with {everything},"
            f" or `rollback-manager budget admit --all --env {budget.env}`",
            f"- **It is one cause** send the update `dismiss` with {everything},"
            f" or `rollback-manager budget dismiss --all --env {budget.env}`",
            '- **Only some of them** `{"by": "YOUR NAME", "rollbacks": ["rollback/ENV/KEY"]}`',
            "- **Production** is unchanged by those that are held.",
        ]
    )


def terminal(budget: Budget) -> str:
    """The question, who is held, and what to type."""
    policy, asked = budget.policy, judging.question(budget)
    limit = f"{budget.env}: {policy.budget} rollbacks in {policy.budget_window_s:g} s may begin"
    if not asked:
        return page([f"{limit} by themselves; nothing is held"])
    rows = [
        f"  {clock(one.since)}  {foreign(one.rollback)}  {foreign(', '.join(one.services), 60)}"
        for one in budget.held[:MOST_NAMED]
    ]
    if len(budget.held) > MOST_NAMED:
        rows.append(f"  and {len(budget.held) - MOST_NAMED} more: see them all with --json")
    return page(
        [
            f"NEEDS A PERSON   {asked}",
            f"held: {foreign(services(budget), 2000)}",
            *rows,
            "Production is unchanged by those that are held.",
            f"separate causes:  rollback-manager budget admit --all --env {budget.env}",
            f"one cause:        rollback-manager budget dismiss --all --env {budget.env}",
        ]
    )
