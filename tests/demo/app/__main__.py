"""Run the support app over two weeks of mail: `python -m tests.demo.app FOLDER [--days N] [--scale N]`.

The mail is handled as it arrives. For three of the jobs a second combination runs in the shadow of the live one, on
the same mail: a cheaper model for sorting and for refunds, a shorter prompt for replies.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import anthropic
import openai

from tests.demo.app.inbox import Ticket, read_inbox
from tests.demo.app.support import Support

if TYPE_CHECKING:
    from collections.abc import Callable

LIVE_MODEL, SHADOW_MODEL = "gpt-5.4", "gpt-5.4-mini"
LIVE_PROMPT, SHADOW_PROMPT = "v3", "v4"


def main() -> None:
    """Handle the mail and leave the drafts for review in FOLDER/drafts.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.app", description=__doc__)
    parser.add_argument("folder", type=Path, help="where drafts.jsonl is written")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the usual mail")
    args = parser.parse_args()
    inbox = read_inbox(time.time(), args.days, args.scale)
    with (args.folder / "drafts.jsonl").open("w", encoding="utf-8") as drafts:
        handle = Desk(Support(), {ticket.order.order_id: ticket for ticket in inbox}, drafts).handle
        for ticket in inbox:
            time.sleep(max(0.0, ticket.arrived_at - time.time()))
            handle(ticket)


class Desk:
    """Give each mail to the job it needs, live and in the shadow; a provider that fails costs one job, not the day."""

    def __init__(self, support: Support, books: dict[str, Ticket], drafts: TextIO) -> None:
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
        if ticket.kind == "triage":
            return [lambda m=model: support.sort(ticket, m) for model in (LIVE_MODEL, SHADOW_MODEL)]
        if ticket.kind == "refund":
            look_up = lambda order_id: self.books[order_id].order  # noqa: E731
            return [lambda m=model: support.decide_refund(ticket, m, look_up) for model in (LIVE_MODEL, SHADOW_MODEL)]
        if ticket.kind == "reply":
            return [lambda v=version: self._draft(ticket, v) for version in (LIVE_PROMPT, SHADOW_PROMPT)]
        return [lambda: support.summarise(ticket)]

    def _draft(self, ticket: Ticket, version: str) -> None:
        task_id, draft = self.support.draft_reply(ticket, version)
        line = {"task_id": task_id, "ticket_id": ticket.ticket_id, "order_id": ticket.order.order_id, "draft": draft}
        self.drafts.write(json.dumps({**line, "written_at": time.time()}) + "\n")


if __name__ == "__main__":
    main()
