"""Own the prompts of the support app, each with its name and version."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import trilemma

__all__ = ["HANDBOOK", "REFUND", "REPLY", "SUMMARY", "TRIAGE"]

HANDBOOK: Final = (Path(__file__).with_name("handbook.md")).read_text(encoding="utf-8")

TRIAGE: Final = trilemma.prompt(
    "triage",
    "You sort mail that reaches the support team of a bicycle shop. Choose the one category that fits best: refund, "
    "delivery, account, invoice or product. Set urgency to high only when the customer says that it is urgent.",
    version="v1",
)

REFUND: Final = trilemma.prompt(
    "refund",
    "You decide about refunds by the handbook below. Look the order up before you decide. Then answer with a JSON "
    'object: {"decision": "approve" or "reject", "amount": euros to pay back, 0 when rejected}.\n\n' + HANDBOOK,
    version="v2",
)

# Version v4 was written to save tokens. It lost a sentence on the way.
REPLY: Final = {
    "v3": trilemma.prompt(
        "reply",
        "Draft a reply to the customer's mail, in the tone of the handbook below and true to it. Use the help article. "
        "Always repeat the order number, so that the customer knows which order is meant.\n\n" + HANDBOOK,
        version="v3",
    ),
    "v4": trilemma.prompt(
        "reply",
        "Draft a reply to the customer's mail. Be friendly and brief, make no promises, use the help article, call the "
        "customer by name, and close with an invitation to write again.",
        version="v4",
    ),
}

SUMMARY: Final = trilemma.prompt(
    "summary",
    "Summarise the closed support case for the customer's file. Answer with a JSON object that has the keys issue, "
    "sentiment (happy, neutral or unhappy) and resolution.",
    version="v1",
)
