"""The same card as plain text and as JSON, for channels without blocks."""

from collections.abc import Iterator

from rollback_manager.rendering import words
from rollback_manager.rendering.layout import clean, page
from rollback_manager.telling.card import Card
from rollback_manager.telling.notices import Notice

SUBJECT = 150
"""Characters; longer ones are cut by readers anyway."""


def subject(card: Card) -> str:
    """One line, the same for all letters about one rollback, so that they stay together."""
    return clean(f"[rollback] {card.headline.rstrip('?')}")[:SUBJECT]


def text(card: Card, news: tuple[Notice, ...], link: str = "") -> str:
    """The news first, then how it stands. link: the address of its page, if it has one."""
    return page([*(_news(one) for one in news), "", *_standing(card), "", *_rest(card, link)])


def _news(notice: Notice) -> str:
    at = f"{words.clock(notice.at)} " if notice.at else ""
    return f"{at}{notice.text}"


def _standing(card: Card) -> Iterator[str]:
    yield words.joined([card.headline, card.stands])
    if card.waits_for:
        yield f"waits for: {card.waits_for}"
    yield from card.ended
    yield from card.decisions


def _rest(card: Card, link: str) -> Iterator[str]:
    for fact in card.facts:
        yield f"{fact.label}: {fact.text}"
    if card.if_nothing:
        yield f"If we do nothing: {card.if_nothing}"
    if card.doubts:
        yield f"What could go wrong: {'; '.join(card.doubts)}"
    yield words.joined(card.about)
    yield f"see:   {link or f'rollback-manager status {card.rollback}'}"
    if card.can_stop:
        yield f"stop:  rollback-manager abort {card.rollback}"
