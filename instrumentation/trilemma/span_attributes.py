"""Own the writing of many attributes to a span at once, when their values are known to be clean.

``Span.set_attributes`` checks and copies each value, which is most of what a span costs. Ours come out of the
registry's converters, so they can go where the SDK would put them. That place is private to the SDK: it is used only
where a probe at import finds it to be what is expected, and within the span's limits; all else goes the public way.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import Span

__all__ = ["write_attributes"]


def write_attributes(span: Span, attributes: Mapping[str, Any]) -> None:
    """Set `attributes`, whose values are strings, numbers, booleans and tuples of strings."""
    bounded: Any = getattr(span, "_attributes", None)
    if (
        type(bounded) is _Bounded
        and bounded.max_value_len is None
        and (bounded.maxlen is None or len(bounded) + len(attributes) <= bounded.maxlen)
    ):
        with bounded._lock:  # noqa: SLF001  # see above
            bounded._dict.update(attributes)  # noqa: SLF001
    else:
        span.set_attributes(dict(attributes))


def _probe() -> Any:
    """Return the SDK's class of attributes where it works as expected, else a class that nothing is."""
    try:
        from opentelemetry.attributes import BoundedAttributes

        values: Any = {"a": "b", "c": ("d", "e"), "f": 1.5, "g": True}
        clean, written = BoundedAttributes(9, values, immutable=False), BoundedAttributes(9, immutable=False)
        with written._lock:  # noqa: SLF001
            written._dict.update(values)  # noqa: SLF001
        if dict(clean) == dict(written) == values and clean.maxlen == 9 and clean.max_value_len is None:
            return BoundedAttributes
    except Exception:  # noqa: BLE001, S110  # an SDK built otherwise: the public way it is
        pass
    return type("Unknown", (), {})


_Bounded = _probe()
