"""Describe Aleph Alpha's own completion, whoever's client sends it; its chat is in OpenAI's format."""

from trilemma.providers.spec import Endpoint

__all__ = ["ENDPOINTS"]

ENDPOINTS = (
    Endpoint(
        path="/complete",
        operation="text_completion",
        request={
            "request_model": "model",
            "max_tokens": "maximum_tokens",
            "temperature": "temperature",
            "top_p": "top_p",
            "top_k": "top_k",
            "stop_sequences": "stop_sequences",
            "frequency_penalty": "frequency_penalty",
            "presence_penalty": "presence_penalty",
        },
        response={
            "response_model": "model_version",
            "finish_reasons": "completions[].finish_reason",
            "input_tokens": "num_tokens_prompt_total",
            "output_tokens": "num_tokens_generated",
        },
    ),
)
