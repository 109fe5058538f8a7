"""Run the support app over two weeks of mail: `python -m tests.demo.app FOLDER [--days N] [--scale N]`.

The mail is handled as it arrives. For three of the jobs a second combination runs in the shadow of the live one, on
four of five mails: a cheaper model for sorting and for refunds, a shorter prompt for replies.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TextIO

import anthropic
import openai

from tests.demo.app.inbox import read_inbox
from tests.demo.app.support import Support

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.demo.app.inbox import Order, Ticket

LIVE_MODEL, SHADOW_MODEL = "gpt-5.4", "gpt-5.4-mini"
LIVE_PROMPT, SHADOW_PROMPT = "v3", "v4"
SHADOW_SHARE = 0.8


def main() -> None:
    """Handle the mail and leave the drafts for review in FOLDER/drafts.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.app", description=__doc__)
    parser.add_argument("folder", type=Path, help="where drafts.jsonl is written")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the usual mail")
    args = parser.parse_args()
    inbox = read_inbox(time.time(), args.days, args.scale)
    with (args.folder / "drafts.jsonl").open("w", encoding="utf-8") as drafts:
        handle = Desk(Support(), {ticket.order.order_id: ticket.order for ticket in inbox}, drafts).handle
        for ticket in inbox:
            time.sleep(max(0.0, ticket.arrived_at - time.time()))
            handle(ticket)


class Desk:
    """Give each mail to the job it needs, live and in the shadow; a provider that fails costs one job, not the day."""

    def __init__(self, support: Support, books: dict[str, Order], drafts: TextIO) -> None:
        self.support, self.books, self.drafts = support, books, drafts

    def handle(self, ticket: Ticket) -> None:
        """Handle one mail."""
        for job in self._jobs_for(ticket):
            try:
                job()
            except (openai.APIError, anthropic.APIError) as error:
                print(f"{ticket.ticket_id}: {type(error).__name__}, left to a colleague", flush=True)

    def _jobs_for(self, ticket: Ticket) -> list[Callable[[], object]]:
        support = self.support
        if ticket.kind == "summary":
            return [lambda: support.summarise(ticket)]
        shadowed = Random(ticket.ticket_id).random() < SHADOW_SHARE
        if ticket.kind == "reply":
            prompts = (LIVE_PROMPT, SHADOW_PROMPT) if shadowed else (LIVE_PROMPT,)
            return [partial(self._draft_all, ticket, prompts)]
        models = (LIVE_MODEL, SHADOW_MODEL) if shadowed else (LIVE_MODEL,)
        if ticket.kind == "triage":
            return [partial(support.sort, ticket, model) for model in models]
        return [partial(support.decide_refund, ticket, model, self._look_up) for model in models]

    def _look_up(self, order_id: str) -> Order:
        return self.books[order_id]

    def _draft_all(self, ticket: Ticket, prompts: tuple[str, ...]) -> None:
        article = self.support.find_article(ticket)
        for prompt in prompts:
            task_id, draft = self.support.draft_reply(ticket, article, prompt)
            line = {"task_id": task_id, "ticket_id": ticket.ticket_id, "order_id": ticket.order.order_id}
            self.drafts.write(json.dumps({**line, "draft": draft, "written_at": time.time()}) + "\n")


if __name__ == "__main__":
    main()
