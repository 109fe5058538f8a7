"""Own what a provider file is made of: one Provider, its Endpoints, and what of them a body's table reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from trilemma.record import Source

__all__ = ["Batch", "Content", "Deferred", "Endpoint", "Hook", "NativeTracer", "Parts", "Provider", "Socket", "Table"]

Table: TypeAlias = Mapping[str, Source]
"""Where in a body each concept of the registry is."""

Parts: TypeAlias = Mapping[str, Mapping[str, str | tuple[str, ...]]]
"""A provider's kind of content block to {field of the conventions' part: where in the block it is}."""


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class Content:
    """Say where in the bodies the content is, for those who switch its capture on (trilemma.messages).

    ``system``, ``input`` and ``tools`` are paths in the request, ``output`` and ``finish`` in the response; with
    ``choices``, the output is a list of choices with a message each. ``parts`` maps a provider's kind of content block
    to {field of the conventions' part: path in the block}.
    """

    input: str
    output: str
    parts: Parts
    system: str = ""
    tools: str = "tools"
    finish: str = ""
    choices: bool = False


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class Endpoint:
    """Describe one operation of a provider's API.

    ``path`` is the request path as the SDK gives it; ``{name}`` stands for a part of one segment, ``{name*}`` for
    any, and what it matched is a source of the request's table: ``"request_model": "{model}"``. ``request`` and
    ``response`` map concepts of the registry to sources in the bodies (trilemma.record). ``fold`` merges a stream
    chunk into the full response body that the endpoint returns without streaming, never changing the chunk, and says
    whether the chunk carried content (text, reasoning, a refusal, a tool call's arguments). ``is_text`` tells, at
    little cost, which chunks add nothing but text: these are not folded where content is not captured. ``constants``
    are values that every call has. ``when`` tells by the request's body whether a request to a path that serves several
    operations is this one.
    """

    path: str
    operation: str
    request: Table = field(default_factory=dict)
    response: Table = field(default_factory=dict)
    fold: Callable[[dict[str, Any], dict[str, Any]], bool] | None = None
    is_text: Callable[[dict[str, Any]], bool] | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    method: str = "POST"
    when: Callable[[dict[str, Any]], bool] | None = None
    reads_bytes: bool = False
    batch: "Batch | None" = None
    deferred: "Deferred | None" = None

    def tells_of_other_work(self, body: Any) -> bool:
        """Tell whether a response is about work that no request did: it is read in the call, which has the task."""
        if self.batch is not None or self.deferred is None or type(body) is not dict:
            return self.batch is not None
        return self.deferred.start(body) is not None or self.deferred.choose(body, body, "") is not None


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class Batch:
    """Say where in a batch object its times are, the ids of the files of its results, and the path that it asks."""

    started: str
    ended: tuple[str, ...]
    files: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class Deferred:
    """Say how to read the result of work that no request did (trilemma.deferred).

    ``choose`` gives, of the result, the response body in it (at the path ``body``) and the path that its batch asks,
    the endpoint whose table reads that body; None where this is no finished work. ``id`` is a path in the result to
    what identifies it. ``status``, ``request_id`` and the function ``error`` find the HTTP status, the provider's
    request id and the type of a failure in it. ``started`` and ``ended`` are the work's times in the body. ``start``
    names, by its response, a request that only started the work, and so is no call to a model itself (empty: by its
    own name, None: another request). ``lines``: the
    response has a result in each line: the items of a batch, at the batch price.
    """

    choose: Callable[[dict[str, Any], dict[str, Any], str], "Endpoint | None"]
    id: str
    body: str = ""
    started: str = ""
    ended: tuple[str, ...] = ()
    status: str = ""
    request_id: str = ""
    error: Callable[[dict[str, Any]], Any] = lambda _: None
    start: Callable[[dict[str, Any]], str | None] = lambda _: None
    lines: bool = False


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class NativeTracer:
    """Say where an SDK starts a span of its own for the same call.

    ``module`` and ``function`` name what returns that span, or None; ``option`` is the client's attribute that holds a
    mapping with the ``tracer_provider`` that the user gave it, if any.
    """

    module: str
    function: str
    option: str


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class Hook:
    """Say where an SDK that sends by httpx lets us in (trilemma.transports.httpx_client).

    ``name`` is a function of ``module``, or a method or attribute of a class in it. By ``kind`` it is

    - "call": what makes one call, however many requests that takes, and gives the HTTP response or a context manager of
      it. It takes a `request`, or its parts as `method`, `url` or `base_url` and `path`, `json` or `data`; where
      the argument ``again`` is true, it is a further attempt of a call.
    - "client": what gives the HTTP client, each of whose requests is a call.
    - "wait": what decides how long to wait (s) before the next attempt, from the failed one's response or error.
    - "tracer": what gives (whether the SDK traces itself, its tracer) for a tracer `provider`, None for the global one.
    """

    kind: Literal["call", "client", "wait", "tracer"]
    module: str
    name: str
    again: str = ""


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class Socket:
    """Describe a realtime API (trilemma.transports.realtime).

    ``modules`` hold the SDK's classes of connections and of what opens them. ``session``, ``response`` and
    ``transcript`` are read as endpoints: of the session object, of a response's events, and of the event that ends the
    transcription of what was heard.
    """

    modules: tuple[str, ...]
    session: Endpoint
    response: Endpoint
    transcript: Endpoint


@dataclass(frozen=True, eq=False, repr=False)  # each method that is made costs every start
class Provider:
    """Describe a provider SDK: where its transport is, who serves which host, and its endpoints.

    ``module`` is the SDK's import name and ``transport`` the kind of choke point it has. ``name`` is the semantic
    conventions' provider name, unless the client's host ends with a key of ``hosts`` or is in hosts.json. ``headers``
    maps a response header to a concept and a factor for its figure (0: text). ``error_types`` are paths to the type of
    the failure in the error's body. ``aliases`` are second attribute names that the conventions have for this provider.
    ``native_tracer`` is where the SDK starts spans of its own, which would be second ones. ``hooks`` are where an SDK
    without a transport of its own lets us in. ``socket`` is its realtime API.
    """

    name: str
    module: str
    transport: str
    endpoints: tuple[Endpoint, ...]
    hosts: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    error_types: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    native_tracer: NativeTracer | None = None
    hooks: tuple[Hook, ...] = ()
    socket: Socket | None = None
