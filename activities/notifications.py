"""The role of the channels: people are told of a rollback, and nothing ever waits for them."""

from collections.abc import Callable
from typing import Protocol

from temporalio import activity

from rollback_manager.telling.card import Card
from rollback_manager.telling.notices import Notice
from rollback_manager.values import Value


class Channel(Protocol):
    """One place where people are told. Both may be called again for what has arrived already.

    reference: what this channel itself answered for the rollback before; empty at first. link: the
    address of the rollback's page, empty where there is none. Raises TemporaryError or
    PermanentError, in words without a secret.
    """

    def show(self, card: Card, reference: str, link: str) -> str:
        """How it stands, in the place of what was shown before; the reference from now on."""

    def say(self, card: Card, news: tuple[Notice, ...], reference: str, link: str) -> None:
        """Milestones, in their order."""


Channels = Callable[[str, str], Channel]
"""Environment and name → the channel. Raises PermanentError where the catalogue has none."""


class Receipt(Value):
    """What arrived. reference: the channel's own, such as a message's id. told: keys of news."""

    reference: str = ""
    told: tuple[str, ...] = ()


class Telling(Value):
    """What one channel is to be told now."""

    env: str
    channel: str
    card: Card
    news: tuple[Notice, ...] = ()
    receipt: Receipt = Receipt()


class NotificationActivities:
    """The one activity behind every channel."""

    def __init__(self, channels: Channels, page: Callable[[str], str]) -> None:
        """page: a rollback's id → the address of its page; empty where nobody serves one."""
        self._channels = channels
        self._page = page

    @activity.defn(no_thread_cancel_exception=True)
    def tell_people(self, telling: Telling) -> Receipt:
        """Show the card, then say the news that has not arrived; an attempt goes on from the last.

        A message whose answer was lost is posted twice: no channel here can be asked for it.
        """
        receipt = _last(telling.receipt)
        channel, card = self._channels(telling.env, telling.channel), telling.card
        link = self._page(card.rollback)
        reference = channel.show(card, receipt.reference, link)
        receipt = receipt.model_copy(update={"reference": reference})
        activity.heartbeat(receipt)
        for one in telling.news:
            if one.key not in receipt.told:
                channel.say(card, (one,), reference, link)
                receipt = receipt.model_copy(update={"told": (*receipt.told, one.key)})
                activity.heartbeat(receipt)
        return receipt


def _last(given: Receipt) -> Receipt:
    """What an earlier attempt of this activity got through, or what was known before it."""
    details = activity.info().heartbeat_details
    if not details:
        return given
    return details[0] if isinstance(details[0], Receipt) else Receipt.model_validate(details[0])
