"""Own the little of HTTP that both ports share: reading a body within bounds, a reply, and the server itself."""

from trilemma_collector.web.exchange import BodyTooLargeError, ClientGoneError, Receive, Scope, Send, read_body, respond
from trilemma_collector.web.server import HttpServer, bind, name_address

__all__ = [
    "BodyTooLargeError",
    "ClientGoneError",
    "HttpServer",
    "Receive",
    "Scope",
    "Send",
    "bind",
    "name_address",
    "read_body",
    "respond",
]
