"""Own the support app's four jobs: sort mail, decide refunds, draft replies, summarise closed cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import pydantic
import trilemma
from anthropic import Anthropic
from openai import OpenAI

from tests.demo.app.prompts import REFUND, REPLY, SUMMARY, TRIAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.demo.app.inbox import Order, Ticket

__all__ = ["Support"]

LOOKUP_ORDER = {
    "type": "function",
    "function": {
        "name": "lookup_order",
        "description": "Look an order up in the shop's books.",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    },
}


COLLEAGUE_EUR = 2.40  # what it costs when a colleague decides about a refund


class Triage(pydantic.BaseModel):
    """Where a mail belongs, and how soon it needs an answer."""

    category: Literal["refund", "delivery", "account", "invoice", "product"]
    urgency: Literal["normal", "high"]


class Support:
    """Do the support team's jobs with LLMs; the colleagues' decisions on the closed cases say what was right."""

    def __init__(self) -> None:
        self.openai = OpenAI()
        self.anthropic = Anthropic()

    def sort(self, ticket: Ticket, model: str) -> str:
        """Return the category of a mail; right when a colleague closed the case under the same one."""
        with trilemma.task("support.triage", input_id=ticket.ticket_id) as task:
            TRIAGE.use()
            response = self.openai.chat.completions.parse(
                model=model,
                messages=[{"role": "system", "content": TRIAGE.text}, {"role": "user", "content": ticket.text}],
                response_format=Triage,
            )
            triage = response.choices[0].message.parsed
            if triage is None:
                task.fail("no_answer")
            elif triage.category == ticket.category:
                task.succeed()
            else:
                task.fail("wrong_category")
            return triage.category if triage else ""

    def decide_refund(self, ticket: Ticket, model: str, look_up: Callable[[str], Order]) -> float:
        """Return the euros to pay back; right when the books say that this is what was paid back."""
        with trilemma.task("support.refund", input_id=ticket.ticket_id, budget=0.05, deadline_s=30) as task:
            REFUND.use()
            messages: list = [{"role": "system", "content": REFUND.text}, {"role": "user", "content": ticket.text}]
            while True:
                response = self.openai.chat.completions.create(
                    model=model,
                    messages=messages,
                    tools=[LOOKUP_ORDER],
                    reasoning_effort="low",
                    max_completion_tokens=800,
                )
                message = response.choices[0].message
                if not message.tool_calls:
                    break
                messages.append(message.model_dump(exclude_none=True))
                for call in message.tool_calls:
                    order = look_up(json.loads(call.function.arguments)["order_id"])
                    messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(vars(order))})
            decision = json.loads(message.content or "{}")
            if (decision.get("decision") == "approve") != bool(ticket.refunded):
                task.fail("wrong_decision")
            elif decision.get("amount") != ticket.refunded:
                task.fail("wrong_amount")
            else:
                task.succeed(value=COLLEAGUE_EUR)
            return float(decision.get("amount", 0))

    def find_article(self, ticket: Ticket) -> str:
        """Return the help article nearest to a mail."""
        vector = self.openai.embeddings.create(model="text-embedding-3-small", input=ticket.text).data[0].embedding
        return ARTICLES[max(range(len(ARTICLES)), key=lambda i: vector[i])]

    def draft_reply(self, ticket: Ticket, article: str, version: str) -> tuple[str, str]:
        """Return (task id, draft); whether it was any good is known when a colleague has read it."""
        with trilemma.task("support.reply", input_id=ticket.ticket_id) as task:
            with trilemma.context("help articles") as blocks:
                for one in ARTICLES:
                    keep = blocks.keep if one == article else blocks.drop
                    keep(one, source="help", tokens=len(one) // 4)
            REPLY[version].use()
            system = {"type": "text", "text": REPLY[version].text, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
            with self.anthropic.messages.stream(
                model="claude-sonnet-4-6",
                max_tokens=600,
                system=[system],
                messages=[{"role": "user", "content": f"Help article: {article}\n\nMail:\n{ticket.text}"}],
            ) as stream:
                draft = "".join(stream.text_stream)
            with trilemma.guardrail("promises", stage="output") as check:
                if "guarantee" in draft.lower():
                    check.block("guarantee")
            return task.id, draft

    def summarise(self, ticket: Ticket) -> str:
        """Return the summary of a closed case; right when the customer's file can take it."""
        with trilemma.task("support.summary", input_id=ticket.ticket_id) as task:
            SUMMARY.use()
            message = self.anthropic.messages.create(
                model="claude-haiku-4-5",
                max_tokens=300,
                system=SUMMARY.text,
                messages=[{"role": "user", "content": ticket.text}],
            )
            summary = message.content[0].text
            try:
                facts = json.loads(summary)
            except ValueError:
                task.fail("not_json")
            else:
                if facts.get("resolution"):
                    task.succeed()
                else:
                    task.fail("no_resolution")
            return summary


ARTICLES = (
    "Returns: within 30 days, with the label from the account page.",
    "Delivery: two to five working days in the European Union; the tracking link is in the confirmation.",
    "Accounts: the link for a new password is good for one hour.",
    "Invoices: fetch them in the account; a VAT number can be added within 14 days.",
)
