"""Hold the text of attribute values to what the production collector writes (pcommon.Value.AsString)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from trilemma_collector.otlp.nested_values import array_to_json, kvlist_to_json

from tests.collector_config.embedded.otlp import PROTOBUF, make_logs, make_traces, post, unique_name

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from tests.collector_config.embedded.servers import RunningCollector

NESTED = AnyValue(
    kvlist_value=KeyValueList(
        values=[
            KeyValue(key="role", value=AnyValue(string_value="user")),
            KeyValue(
                key="parts",
                value=AnyValue(
                    array_value=ArrayValue(
                        values=[
                            AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="n", value=AnyValue(int_value=1))]))
                        ]
                    )
                ),
            ),
        ]
    )
)
VALUES = {
    "text": (AnyValue(string_value="naïve"), "naïve"),
    "empty text": (AnyValue(string_value=""), ""),
    "false": (AnyValue(bool_value=False), "false"),
    "true": (AnyValue(bool_value=True), "true"),
    "zero": (AnyValue(int_value=0), "0"),
    "least whole": (AnyValue(int_value=-(2**63)), "-9223372036854775808"),
    "zero real": (AnyValue(double_value=0.0), "0"),
    "whole real": (AnyValue(double_value=123456789.0), "123456789"),
    "tenth": (AnyValue(double_value=0.1), "0.1"),
    "small": (AnyValue(double_value=1e-7), "1e-7"),
    "huge": (AnyValue(double_value=1.5e300), "1.5e+300"),
    "nan": (AnyValue(double_value=math.nan), "NaN"),
    "less than all": (AnyValue(double_value=-math.inf), "-Infinity"),
    "bytes": (AnyValue(bytes_value=b"\xff\x00"), "/wA="),
    "none": (AnyValue(), ""),
    "list": (AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a<b"), AnyValue()])), '["a<b",null]'),
    "empty list": (AnyValue(array_value=ArrayValue()), "[]"),
    "map": (NESTED, '{"parts":[{"n":1}],"role":"user"}'),
    "empty map": (AnyValue(kvlist_value=KeyValueList()), "{}"),
}


def test_every_kind_of_value_has_its_text(collector: RunningCollector, client: Client) -> None:
    """A span's attributes of every kind are stored as the text that the production collector stores."""
    service = unique_name()
    request = make_traces(service, **{key: value for key, (value, _) in VALUES.items()})
    assert post(f"{collector.otlp_http}/v1/traces", request.SerializeToString(), PROTOBUF).status == 200
    sql = "SELECT attributes FROM spans WHERE service_name = {s:String}"
    assert client.query(sql, parameters={"s": service}).first_row[0] == {key: text for key, (_, text) in VALUES.items()}


def test_a_logs_value_has_the_same_text(collector: RunningCollector, client: Client) -> None:
    """A log record's attributes go through the same text: here, an explanation that is a list."""
    task_id = unique_name()
    request = make_logs(
        "s",
        **{
            "gen_ai.evaluation.name": AnyValue(string_value="list"),
            "gen_ai.evaluation.explanation": VALUES["list"][0],
            "trilemma.task.id": AnyValue(string_value=task_id),
        },
    )
    request.resource_logs[0].scope_logs[0].log_records[0].event_name = "gen_ai.evaluation.result"
    assert post(f"{collector.otlp_http}/v1/logs", request.SerializeToString(), PROTOBUF).status == 200
    sql = "SELECT explanation FROM evaluations WHERE task_id = {id:String}"
    assert client.query(sql, parameters={"id": task_id}).first_row == ('["a<b",null]',)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (AnyValue(double_value=2.0), "[2]"),
        (AnyValue(double_value=1e16), "[10000000000000000]"),
        (AnyValue(double_value=1e21), "[1e+21]"),
        (AnyValue(double_value=-2.5e-9), "[-2.5e-9]"),
        (AnyValue(double_value=-0.0), "[-0]"),
        (AnyValue(double_value=math.nan), ""),  # Go's encoder refuses the whole value
        (AnyValue(int_value=2**63 - 1), "[9223372036854775807]"),
        (AnyValue(bytes_value=b"ab"), '["YWI="]'),
        (AnyValue(string_value='"\\\n\x01\u2028&'), '["\\"\\\\\\n\\u0001\\u2028&"]'),
        (AnyValue(string_value="ä😀"), '["ä😀"]'),
    ],
)
def test_nested_values_are_written_as_go_writes_json(value: AnyValue, text: str) -> None:
    """Numbers, text and bytes inside lists have the form of Go's encoding/json."""
    assert array_to_json(ArrayValue(values=[value]).SerializeToString().hex()) == text


def test_the_last_of_equal_keys_counts() -> None:
    """A map with a key twice keeps the last value, and its keys are sorted."""
    pairs = [KeyValue(key=key, value=AnyValue(int_value=number)) for number, key in enumerate("bab")]
    assert kvlist_to_json(KeyValueList(values=pairs).SerializeToString().hex()) == '{"a":1,"b":2}'


def test_text_cut_within_a_character_is_replaced() -> None:
    """Text inside a list that is no UTF-8 becomes valid JSON all the same."""
    broken = ArrayValue(values=[AnyValue(string_value="ab?")]).SerializeToString().replace(b"?", b"\xc3")
    assert array_to_json(broken.hex()) == '["ab\ufffd"]'
