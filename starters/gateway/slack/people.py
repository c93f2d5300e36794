"""Who it is: one person by the directory, whatever they are called in Slack."""

from rollback_manager.authority.people import Person
from starters.gateway.doors import Doors
from starters.gateway.slack.door import Said
from starters.gateway.slack.reading import Sender


async def person(known: Doors, sender: Sender) -> Person:
    """Who it is by the directory, at this moment. Raises Said for a stranger, and keeps that."""
    found = known.catalogue.directory.by_slack(sender.team, sender.user)
    if found is None:
        account = f"slack:{sender.team}/{sender.user}"
        because = "nobody in the catalogue has this account"
        await known.auditing.refused(account, "slack", "slack", because)
        raise Said(
            f"Nothing was done: nobody in the catalogue has the Slack account"
            f" {sender.team}/{sender.user}. Ask for it under `people`; until then use"
            " rollback-manager."
        )
    return found
