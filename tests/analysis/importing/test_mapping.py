"""Hold the mapping file: what it may name, what it must name, and how a mistake in it is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trilemma.errors import ImportFileError
from trilemma_analysis.importing.mapping import SHIPPED, load_mapping

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str, str | bytes], Path]

GOOD = """
name = "log"
[task]
task_name = "t"
[call]
request_model = "{model}"
started_at = "{at}"
"""


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_shipped_mapping_is_sound(name: str) -> None:
    """Each shipped mapping loads by its name, which is also the name it gives its ids."""
    assert load_mapping(name).name == name


def test_paths_of_a_mapping(write: Write) -> None:
    """A mapping knows every path it reads, wherever in it the path stands."""
    text = """
    name = "log"
    [rows]
    key = ["{k1}", "{k2}"]
    when = { value = "{w}", above = "{w2}" }
    explode = "trials"
    let.x = "{l}"
    [[rows.each]]
    model = "{e}"
    [task]
    task_name = "t.{n}"
    outcome = { case = [{ when = "{c}", then = "{o}" }] }
    attributes."my.own" = "{a}"
    [call]
    request_model = "{each.model}"
    started_at = { from = "{at}", offset_s = "{off}" }
    duration_s = { first = ["{d?}", "{let.x}", "{@item}"], if_null = "{dd}" }
    content.input_messages = "{question}"
    explode = "calls"
    [[evaluation]]
    evaluation_name = "e"
    score = { from = "{s}", map = { a = 1 }, default = "{sd}" }
    evaluated_at = "{ev}"
    """
    found = load_mapping(str(write("m.toml", text))).paths()
    assert found == sorted(
        "k1 k2 w w2 trials l e n c o a at off d? dd question calls s sd ev".split()  # noqa: SIM905
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[task]", "[tsak]"), "'tsak' is not a name .* did you mean 'task'"),
        (('request_model = "{model}"', 'request_mdel = "{model}"'), r"\[call\]: 'request_mdel' .* 'request_model'"),
        (('task_name = "t"', 'input_tokens = 3\ntask_name = "t"'), r"\[task\]: 'input_tokens' is not a name"),
        (('task_name = "t"', ""), r"\[task\] needs task_name"),
        (('request_model = "{model}"', ""), r"\[call\] needs request_model"),
        (('started_at = "{at}"', ""), "needs started_at or ended_at"),
        (('name = "log"', ""), "starts with name"),
        (('name = "log"', 'name = "log"\nversion = "1.0"'), "starts with name"),
        (('name = "log"', 'name = "log'), "is no TOML"),
        (("[task]", '[file]\nformat = "xls"\n[task]'), "format 'xls' is unknown"),
        (("[task]", '[file]\ndelimiter = ", "\n[task]'), "must be one character"),
        (("[task]", "[rows]\nkeys = 1\n[task]"), r"\[rows\]: 'keys' .* 'key'"),
        (("[task]", "[[rows.each]]\na = 1\n[[rows.each]]\nb = 1\n[task]"), "must set the same names"),
        (
            ('started_at = "{at}"', 'started_at = "{at}"\ninput_messages = "{q}"'),
            r"is content; put it under \[call.content\]",
        ),
        (('started_at = "{at}"', 'started_at = "{at}"\ncost = { from = "{c}", unit = "x" }'), "unit 'x' is unknown"),
        (('started_at = "{at}"', 'started_at = "{at}"\n[evaluation]\nscore = 1'), "needs evaluation_name"),
        (
            ('started_at = "{at}"', 'started_at = "{at}"\n[evaluation]\nevaluation_name = "e"\nof = "x"'),
            "of is 'task' or 'call'",
        ),
    ],
)
def test_wrong_mapping_is_explained(write: Write, change: tuple[str, str], message: str) -> None:
    """A mistake in a mapping is an error that names the file, the place, and what may stand there."""
    path = write("m.toml", GOOD.replace(*change))
    with pytest.raises(ImportFileError, match=message) as error:
        load_mapping(str(path))
    assert str(path) in str(error.value)


def test_unknown_mapping_lists_the_shipped() -> None:
    """A name that is neither a file nor shipped is an error that lists what is shipped."""
    with pytest.raises(ImportFileError, match=r"there is no mapping 'bfc'; .* bfcl"):
        load_mapping("bfc")
