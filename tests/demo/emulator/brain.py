"""Own what the pretend models say: they do the app's jobs, right as often as the planted truths tell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from tests.demo.emulator.exchange import Answer, draw
from tests.demo.truths import success_rate

if TYPE_CHECKING:
    from tests.demo.emulator.exchange import Exchange

__all__ = ["answer", "skill_of"]

CATEGORIES: Final = {
    "refund": ("money back", "refund", "charged twice"),
    "delivery": ("parcel", "tracking", "courier", "delivered"),
    "account": ("password", "log in", "two-factor", "e-mail address"),
    "invoice": ("invoice", "vat", "billing address"),
    "product": ("size", "colour", "spare part", "manual"),
}
# Models that share training data fail on the same inputs: this share of verdicts hangs on the input alone.
SHARED_DIFFICULTY = 0.8


def skill_of(exchange: Exchange) -> str:
    """Return which job a request asks for: triage, refund, reply, summary, or chat for anything else."""
    if exchange.schema.lower() == "triage":
        return "triage"
    if "lookup_order" in exchange.tools:
        return "refund"
    if "reply" in exchange.system.lower():
        return "reply"
    return "summary" if "summar" in exchange.system.lower() else "chat"


def answer(exchange: Exchange) -> Answer:
    """Return what the model says to `exchange`."""
    skill = skill_of(exchange)
    return SKILLS[skill](exchange, _is_right(skill, exchange))


def _is_right(skill: str, exchange: Exchange) -> bool:
    if exchange.user.startswith("Automatic notice"):
        return True  # mail from machines is easy, and a wrong answer would be repeated with it
    asked = "order number" in exchange.system
    rate = success_rate(skill, exchange.model, order_number_asked=asked, at=exchange.at)
    luck = draw(skill, exchange.user)
    if draw("own", skill, exchange.model, asked, exchange.user) > SHARED_DIFFICULTY:
        luck = draw("luck", skill, exchange.model, asked, exchange.user)
    return luck < rate


def _triage(exchange: Exchange, right: bool) -> Answer:
    text = exchange.user.lower()
    category = next((name for name, words in CATEGORIES.items() if any(word in text for word in words)), "product")
    if not right:
        others = [name for name in CATEGORIES if name != category]
        category = others[int(draw("which", exchange.user, exchange.model) * len(others))]
    urgency = "high" if "urgent" in text or "today" in text else "normal"
    return Answer(json.dumps({"category": category, "urgency": urgency}))


def _refund(exchange: Exchange, right: bool) -> Answer:
    if not exchange.tool_results:
        order = re.search(r"[A-Z]-\d{4}-\d{2}", exchange.user)
        return Answer(tool="lookup_order", arguments={"order_id": order.group() if order else ""})
    order_facts = json.loads(exchange.tool_results[-1])
    broken = "broken" in exchange.user or "damaged" in exchange.user
    late = order_facts["days_since_delivery"] > 30
    decision = "approve" if broken or not late else "reject"
    with_shipping = broken
    if not right and draw("how", exchange.user, exchange.model) < 0.3:
        decision = "reject" if decision == "approve" else "approve"
    elif not right:
        with_shipping = not with_shipping
    amount = order_facts["price"] + (order_facts["shipping"] if with_shipping else 0)
    if decision == "reject":
        amount = order_facts["shipping"] if not right and late else 0
    return Answer(json.dumps({"decision": decision, "amount": round(amount, 2)}))


def _reply(exchange: Exchange, right: bool) -> Answer:
    order = re.search(r"[A-Z]-\d{4}-\d{2}", exchange.user)
    about = f"your order {order.group()}" if order and right else "your order"
    name = re.search(r"(\w+)\s*$", exchange.user)
    sentences = [
        f"Dear {name.group(1) if name else 'customer'}, thank you for your message about {about}.",
        "I am sorry for the trouble this has caused you.",
        *(SENTENCES[int(draw(i, exchange.user, exchange.model) * len(SENTENCES))] for i in range(5)),
        "Please write again at any time if something is still open.",
        "Kind regards, your support team",
    ]
    return Answer(" ".join(sentences))


def _summary(exchange: Exchange, right: bool) -> Answer:
    issue = exchange.user.split("\n")[0][:80].strip()
    sentiment = "neutral" if draw(exchange.user) < 0.6 else "unhappy"
    single_quotes = not right and draw("how", exchange.user) < 0.3
    # Wrong answers are as long as right ones, so that quality is all that changes when there are more of them.
    key = "resolution" if right or single_quotes else "conclusion"
    text = json.dumps({"issue": issue, "sentiment": sentiment, key: "answered and closed"})
    return Answer(text.replace('"', "'") if single_quotes else text)


def _chat(exchange: Exchange, right: bool) -> Answer:
    if exchange.tools and not exchange.tool_results:
        return Answer(tool=exchange.tools[0])
    return Answer(" ".join(SENTENCES[int(draw(i, exchange.user) * len(SENTENCES))] for i in range(4)))


SENTENCES = (
    "I have looked at the order and at the notes of our warehouse.",
    "The parcel left our warehouse on the day after your purchase.",
    "The courier tells us that it should reach you within three working days.",
    "A delay at customs can add a day or two, which we cannot shorten.",
    "You can follow each step with the tracking link in your confirmation.",
    "If it has not come by then, we will send a replacement free of charge.",
    "I have added a note, so that you need not explain this again.",
    "For a return, please use the label that I have attached to this message.",
    "We have told the team concerned, so that this will not happen again.",
    "The warranty covers this case, and there is nothing for you to pay.",
)
SKILLS = {"triage": _triage, "refund": _refund, "reply": _reply, "summary": _summary, "chat": _chat}
