"""Own how a batch item names the task it serves: in its custom_id, the one field that every provider gives back.

``tri-support_2erefund__3f2a...`` holds the task's name and id in the letters that every provider allows, in at most 64
of them. Whoever reads the results, in whatever process and however late, finds the task in it.
"""

import re
from urllib.parse import unquote

from trilemma.errors import ArgumentError

__all__ = ["read_custom_id", "write_custom_id"]

_MAX_LENGTH = 64  # Anthropic: ^[a-zA-Z0-9_-]{1,64}$
_OURS = re.compile(r"tri-((?:[A-Za-z0-9-]|_[0-9a-f]{2})*)__((?:[A-Za-z0-9-]|_[0-9a-f]{2})+)")
_OWN_ID = re.compile(r"[0-9a-f]{32}")  # as a task's id is where the app gives none


def write_custom_id(name: str, task_id: str) -> str:
    """Return the custom_id of an item that serves a task; without the name where that would be too long.

    Raises ArgumentError for an id that does not fit at all.
    """
    escaped_name, escaped_id = _escape(name), _escape(task_id)
    custom_id = f"tri-{escaped_name}__{escaped_id}"
    if len(custom_id) > _MAX_LENGTH:
        custom_id = f"tri-__{escaped_id}"
    if len(custom_id) > _MAX_LENGTH:
        raise ArgumentError(
            f"task {name!r}: the id {task_id!r} is too long for a batch's custom_id (64 characters); "
            "give the task a shorter id, or none"
        )
    return custom_id


def read_custom_id(custom_id: str) -> dict[str, str]:
    """Return the attributes of the task that a custom_id names; none where it names none."""
    found = _OURS.fullmatch(custom_id)
    if found is not None:
        name, task_id = (unquote(text.replace("_", "%")) for text in found.groups())
        return {"trilemma.task.id": task_id, **({"trilemma.task.name": name} if name else {})}
    return {"trilemma.task.id": custom_id} if _OWN_ID.fullmatch(custom_id) else {}


def _escape(text: str) -> str:
    return re.sub(
        r"[^A-Za-z0-9-]", lambda found: "".join(f"_{byte:02x}" for byte in found[0].encode("utf-8", "replace")), text
    )
