"""Be the second process of the test app: answer questions over HTTP, deciding on context, cache and guardrail."""

from __future__ import annotations

import http.server
import json
import sys

import trilemma
from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract

trilemma.instrument(service_name="answers")
PROMPT = trilemma.prompt("answer", "Answer {question} from {context}.")


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer one question per request."""

    def do_GET(self) -> None:
        """Decide, answer, and tell the caller what was decided."""
        token = attach(extract(self.headers))
        number = int(self.path.rpartition("/")[2])
        try:
            body = json.dumps(answer(number)).encode()
        finally:
            detach(token)
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def answer(number: int) -> dict[str, object]:
    """Decide on context, prompt, cache and guardrail; return the ledger of it."""
    with trilemma.context("kb", budget_tokens=500) as blocks:
        blocks.keep(f"policy {number}", id="policy", source="kb", tokens=100 + number, score=0.9)
        blocks.drop(f"blog {number}", id="blog", source="web", reason="low score")
    PROMPT.render(question=number, context="policy")
    with trilemma.cache("answers", kind="semantic") as look:
        if number % 3 == 0:
            look.hit(similarity=0.93, saved_cost=0.002, saved_s=1.5)
    with trilemma.guardrail("pii", stage="output") as check:
        if number % 2:
            check.block("card number")
    return {
        "cache": ["hit" if number % 3 == 0 else "miss", look.id],
        "guardrail": ["blocked" if number % 2 else "passed", check.id],
        "context": ["", blocks.id],
        "prompt": [PROMPT.version, ""],
    }


if __name__ == "__main__":
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    sys.stdin.readline()  # a line says how many requests come
    for _ in range(int(sys.argv[1])):
        server.handle_request()
    server.server_close()
