"""Own the support inbox of the demo: two weeks of mail, with what became of each case. The same mail in every run."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Order", "Ticket", "read_inbox", "repeated_share"]

DAY_S: Final = 86_400.0
PER_DAY: Final = {"triage": 50, "refund": 30, "reply": 22, "summary": 38}  # tickets of each kind, before --scale

NAMES = ("Ana", "Bruno", "Chiara", "Dmitri", "Elif", "Femke", "Goran", "Hanna", "Ivo", "Jana", "Kofi", "Lena", "Mira")
ITEMS = ("rain jacket", "floor pump", "front light", "chain", "helmet", "saddle bag", "pair of gloves", "rear rack")
# Mail that other machines send, word for word the same each time.
AUTOMATIC = (
    "Automatic notice: the courier could not deliver a parcel. Choose a new day on the tracking page.",
    "Automatic notice: a password was changed. If this was not you, log in and change it again.",
    "Automatic notice: an invoice could not be sent to the billing address on file.",
    "Automatic notice: a parcel was handed to a neighbour. The tracking page has the name.",
    "Automatic notice: two-factor codes were refused five times for one account.",
    "Automatic notice: the manual of a product was updated. Please check the torque values.",
)
AUTOMATIC_CATEGORIES = ("delivery", "account", "invoice", "delivery", "account", "product")
AUTOMATIC_SHARE = 0.3
QUESTIONS = {
    "refund": "I want my money back for the {item}. It is not what I expected.",
    "delivery": "The tracking of my parcel with the {item} has not moved for days. Where is it?",
    "account": "I cannot log in any more since I bought the {item}. The password link does not come.",
    "invoice": "The invoice for the {item} has no VAT number. Can you correct it?",
    "product": "Which size of the {item} fits me? I am {height} cm tall.",
}


@dataclass(frozen=True)
class Order:
    """What the shop's own books say about one order."""

    order_id: str
    item: str
    price: float
    shipping: float
    days_since_delivery: int


@dataclass(frozen=True)
class Ticket:
    """One mail, the order it is about, and how colleagues closed the case."""

    ticket_id: str
    kind: str
    arrived_at: float
    text: str
    order: Order
    category: str = ""
    refunded: float | None = None


def read_inbox(start_s: float, days: int, scale: float = 1.0) -> list[Ticket]:
    """Return the mail of `days` days from `start_s` (seconds since the epoch) in the order of its arrival."""
    tickets = [ticket for kind in PER_DAY for ticket in _mail_of(kind, start_s, days, scale)]
    return sorted(tickets, key=lambda ticket: (ticket.arrived_at, ticket.ticket_id))


def repeated_share(tickets: list[Ticket]) -> float:
    """Return the share of triage tickets whose text had come before, word for word."""
    texts = [ticket.text for ticket in tickets if ticket.kind == "triage"]
    return 1 - len(set(texts)) / len(texts)


def _mail_of(kind: str, start_s: float, days: int, scale: float) -> Iterator[Ticket]:
    chance = Random(f"inbox/{kind}")
    write = {"triage": _write_question, "refund": _write_refund, "reply": _write_question, "summary": _write_case}[kind]
    for day in range(days):
        for n in range(round(PER_DAY[kind] * scale)):
            at = start_s + day * DAY_S + (7.5 + 11.5 * chance.random()) * 3600
            order = _place_order(chance, kind, day * 300 + n)
            yield write(chance, f"{kind}-{day:02d}-{n:03d}", kind, round(at, 3), order)


def _place_order(chance: Random, kind: str, number: int) -> Order:
    letter = "ABCD"[list(PER_DAY).index(kind)]
    order_id = f"{letter}-{1000 + number}-{chance.randrange(10, 100)}"
    price, shipping = chance.randrange(1290, 24990) / 100, chance.choice((3.95, 4.95, 6.95))
    return Order(order_id, chance.choice(ITEMS), price, shipping, chance.randrange(1, 45))


def _write_question(chance: Random, ticket_id: str, kind: str, at: float, order: Order) -> Ticket:
    if kind == "triage" and chance.random() < AUTOMATIC_SHARE:
        which = chance.randrange(len(AUTOMATIC))
        return Ticket(ticket_id, kind, at, AUTOMATIC[which], order, AUTOMATIC_CATEGORIES[which])
    category = chance.choice(list(QUESTIONS))
    question = QUESTIONS[category].format(item=order.item, height=chance.randrange(155, 200))
    urgent = " It is urgent." if chance.random() < 0.2 else ""
    text = f"Hello, this is about order {order.order_id}. {question}{urgent}\n{chance.choice(NAMES)}"
    return Ticket(ticket_id, kind, at, text, order, category)


def _write_refund(chance: Random, ticket_id: str, kind: str, at: float, order: Order) -> Ticket:
    broken = chance.random() < 0.45
    why = "arrived broken, the packaging was damaged too" if broken else "does not suit me"
    text = (
        f"Order {order.order_id}: the {order.item} {why}. I paid with my card. Refund please.\n{chance.choice(NAMES)}"
    )
    refunded = order.price + order.shipping if broken else order.price if order.days_since_delivery <= 30 else 0.0
    return Ticket(ticket_id, kind, at, text, order, refunded=round(refunded, 2))


def _write_case(chance: Random, ticket_id: str, kind: str, at: float, order: Order) -> Ticket:
    question = _write_question(chance, ticket_id, kind, at, order)
    lines = [question.text.replace("\n", " "), "Support: I looked into it.", "Customer: Thank you, that helps."]
    return Ticket(ticket_id, kind, at, "\n".join(lines), order, question.category)
