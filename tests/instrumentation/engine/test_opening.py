"""Hold how a request finds its endpoint, and what a path that has none is called."""

from __future__ import annotations

import pytest
from trilemma.engine import Engine
from trilemma.opening import Opener, Server, template_path
from trilemma.providers.spec import Endpoint, Provider

PROVIDER = Provider(
    name="acme",
    module="acme",
    transport="stainless",
    hosts={"cloud.example": "acme.cloud"},
    endpoints=(
        Endpoint("/chat", "chat"),
        Endpoint("/models/{model}:generate", "generate_content", request={"request_model": "{model}"}),
        Endpoint("/model/{model*}/invoke", "embeddings", when=lambda body: "texts" in body),
        Endpoint("/model/{model*}/invoke", "chat"),
    ),
)


@pytest.fixture
def opener() -> Opener:
    """Return an opener of a provider made up for the test."""
    return Opener(PROVIDER, Engine())


@pytest.mark.parametrize(
    ("method", "path", "operation", "values"),
    [
        ("post", "/chat?beta=true", "chat", {}),
        ("POST", "https://acme.example/chat", "chat", {}),
        ("POST", "/models/acme-1:generate", "generate_content", {"{model}": "acme-1"}),
        ("POST", "/model/arn:x/acme-1/invoke", "chat", {"{model}": "arn:x/acme-1"}),
        ("GET", "/chat", "GET /chat", {}),
        ("POST", "/batches/batch_67f3/cancel", "POST /batches/{id}/cancel", {}),
    ],
)
def test_routes(opener: Opener, method: str, path: str, operation: str, values: dict[str, str]) -> None:
    """Method and path decide; a pattern's parts are kept; what no endpoint has is named by method and path."""
    route = opener.find(method, path, Server("acme.example", 443))
    assert (route.target.record["operation"], route.values) == (operation, values)


def test_body_decides(opener: Opener) -> None:
    """Where a path serves several operations, the body tells which one it is."""
    for body, operation in (({"texts": ["a"]}, "embeddings"), ({"messages": []}, "chat"), (None, "chat")):
        route = opener.find("POST", "/model/m/invoke", Server("", 0), body)
        assert route.target.record["operation"] == route.target.endpoint.spec.operation == operation


def test_server_names_the_provider(opener: Opener) -> None:
    """Who serves is told by the end of the host's name; targets are made once per server."""
    route = opener.find("POST", "/chat", Server("eu.cloud.example", 443))
    assert route.target.record["provider"] == "acme.cloud"
    assert route.target is opener.find("POST", "/chat", Server("eu.cloud.example", 443)).target
    assert opener.find("POST", "/chat", Server("", 0)).target.record == {"operation": "chat", "provider": "acme"}


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1beta/files", "/v1beta/files"),
        ("/fine_tuning/jobs/ftjob-a1/cancel", "/fine_tuning/jobs/{id}/cancel"),
        ("/models/gpt-4o", "/models/{id}"),
        ("/x/" + "a" * 40, "/x/{id}"),
    ],
)
def test_template(path: str, template: str) -> None:
    """Ids do not get into a plain span's name."""
    assert template_path(path) == template
