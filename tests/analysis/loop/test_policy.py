"""Hold the policy: which advice it follows, what of it LiteLLM can do, and that LiteLLM takes it."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from trilemma.cli import main
from trilemma_analysis.findings.finding import Action
from trilemma_analysis.loop.ledger import write_measurement, write_prediction
from trilemma_analysis.loop.litellm_config import to_litellm
from trilemma_analysis.loop.model import LoopVerdict, Measurement
from trilemma_analysis.loop.policy import Policy, build_policy
from trilemma_analysis.loop.yaml_text import to_yaml

from tests.analysis.loop.conftest import SWITCH
from tests.analysis.loop.predicted import ADOPTED_AT, find, predict
from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from trilemma_analysis.loop.model import Prediction

PYTHON = Path(__file__).resolve().parents[3] / ".venv-frameworks-openai2/bin/python"
PROVIDERS = {"large": "openai", "mini": "openai", "haiku": "anthropic"}
# A hit itself needs LiteLLM's proxy extra (1.106 imports fastapi then), so the test asks what the cache decides.
LOAD = """
import json, sys, litellm, yaml
from litellm.caching.caching import Cache

class Watched(Cache):
    def should_use_cache(self, **kwargs):
        used = super().should_use_cache(**kwargs)
        decided[current] = decided.get(current, False) or used
        return used

config = yaml.safe_load(open(sys.argv[1]))
for one in config["model_list"]:
    one["litellm_params"] |= {"mock_response": "hello", "api_key": "none"}
decided, current = {}, ""
litellm.cache = Watched(**config["litellm_settings"]["cache_params"])
router = litellm.Router(model_list=config["model_list"], **config.get("router_settings", {}))
for current in ("support.triage", "support.refund"):
    router.completion(model=current, messages=[{"role": "user", "content": "hi"}])
current = "chained"
chained = router.completion(
    model="support.refund", messages=[{"role": "user", "content": "hi"}], mock_testing_fallbacks=True
)
print(json.dumps({"names": router.get_model_names(), "cached": decided, "fallback": chained.model}))
"""


def advise(task: str, kind: str, number: int = 1, **action: Any) -> Prediction:
    """Return adopted advice of a kind."""
    finding = find(id=f"{kind}:{task}:{number}", task=task, action=Action(kind=kind, **action))
    return predict(finding, adopted_at=ADOPTED_AT + timedelta(days=number))


def measure(one: Prediction, verdict: LoopVerdict) -> Measurement:
    """Return a measurement with a verdict."""
    return Measurement(
        finding_id=one.finding.id, task=one.finding.task, title="", adopted_at=one.adopted_at, until=ADOPTED_AT,
        method="holdout", verdict=verdict, reason="because", runs=1, runs_beside=1,
    )  # fmt: skip


def make_policy() -> Policy:
    """Return a policy of all kinds of rules."""
    return build_policy(
        [
            advise("support.triage", "route", baseline="a", candidate="b"),
            advise("support.triage", "cache", settings={"cache_kind": "exact", "ttl_s": 60.0}),
            advise("support.refund", "fallback", baseline="a", settings={"models": ("large", "haiku")}),
            advise("support.refund", "timeout", settings={"timeout_s": 20.0}),
            advise("support.refund", "retry", settings={"max_retries": 2}),
            advise("support.refund", "prompt", baseline="a", candidate="b"),
            advise("mail", "segment_route", settings={"feature": "segment", "combinations": {"free": "b", "pro": "a"}}),
            advise("mail", "cascade", baseline="a", settings={"models": ("mini", "large")}),
        ],
        {},
    )


def test_broken_advice_is_left_out() -> None:
    """A rule whose promise broke is not followed, and why is said; others carry what was measured."""
    good, bad = advise("a", "route", baseline="a", candidate="b"), advise("b", "route", baseline="a", candidate="b")
    found = {good.finding.id: measure(good, LoopVerdict.HELD), bad.finding.id: measure(bad, LoopVerdict.BROKEN)}
    policy = build_policy([good, bad], found)
    assert [(one.task, one.result) for one in policy.rules] == [("a", "held")]
    assert [(one.task, one.why) for one in policy.left_out] == [("b", "broken: because")]


def test_later_advice_on_the_same_runs_counts() -> None:
    """Of two routes from one baseline the one adopted later is the rule, whatever the order in the ledger."""
    first, second = (advise("a", "route", number, baseline="a", candidate="b") for number in (1, 2))
    for order in ([first, second], [second, first]):
        policy = build_policy(order, {})
        assert [one.finding_id for one in policy.rules] == ["route:a:2"]
        assert policy.left_out[0].finding_id == "route:a:1"


def test_litellm_gets_what_it_can_do() -> None:
    """Tasks are model names; each deployment names its evidence; what LiteLLM cannot do is said."""
    config = to_litellm(make_policy(), PROVIDERS)
    by_name = {one["model_name"]: one for one in config.model_list}
    assert {name: one["litellm_params"]["model"] for name, one in by_name.items()} == {
        "mail:free": "openai/mini",
        "mail:pro": "openai/large",
        "support.refund": "openai/large",
        "support.refund/haiku": "anthropic/haiku",
        "support.triage": "openai/mini",
    }
    assert by_name["support.triage"]["litellm_params"]["cache"] == {"use-cache": True, "ttl": 60.0}
    assert by_name["support.triage"]["model_info"]["trilemma_evidence"] == [
        "cache:support.triage:1",
        "route:support.triage:1",
    ]
    assert by_name["support.refund"]["litellm_params"] == {"model": "openai/large", "timeout": 20.0, "num_retries": 2}
    assert config.fallbacks == [{"support.refund": ["support.refund/haiku"]}]
    assert [note.partition(":")[0] for note in config.notes] == ["cascade", "prompt"]


def test_unknown_provider_is_said() -> None:
    """A model whose provider LiteLLM names otherwise is written as it is, with a note."""
    config = to_litellm(make_policy(), {})
    assert config.model_list[0]["litellm_params"]["model"] in {"mini", "large"}
    assert any("LiteLLM's name of who serves" in note for note in config.notes)


def test_litellm_takes_it(tmp_path: Path) -> None:
    """LiteLLM's router loads it: its cache is used where that is advised and only there, the fallback steps in."""
    if not PYTHON.is_file():
        pytest.skip(f"{PYTHON.parents[1].name} is missing: `make test` creates it, with LiteLLM in it")
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(to_litellm(make_policy(), PROVIDERS).as_dict()), encoding="utf-8")
    done = subprocess.run(
        [PYTHON, "-c", LOAD, file],
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["names"]) >= {"support.triage", "support.refund", "mail:free"}
    assert {task: found["cached"][task] for task in ("support.triage", "support.refund")} == {
        "support.triage": True,
        "support.refund": False,
    }
    assert "haiku" in found["fallback"]


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": [1, "x: y", {"c": None, "d": [True, 0.5]}], "e": {}, "f": []},
        {"yes": "no", "a b": "#", "§": "ä\n\"'", "1": [[1, 2], []]},
        [{"a": {"b": {"c": "d"}}}, "- x"],
    ],
)
def test_yaml_is_read_as_it_was(value: Any) -> None:
    """A YAML reader gives back what was written."""
    assert yaml.safe_load(to_yaml(value)) == value


def test_export_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes adopted advice in both formats, to standard output or a file; broken advice is a note."""
    with make_store(tmp_path / "store") as store:
        for task, verdict in (("a", LoopVerdict.HELD), ("b", LoopVerdict.BROKEN)):
            one = advise(task, "route", baseline="a", candidate="b")
            write_prediction(store, one)
            write_measurement(store, measure(one, verdict))
    words = ["policy", "export", "--store", f"chdb://{tmp_path}/store"]
    assert main([*words, "--format", "json"]) == 0
    assert [one["task"] for one in json.loads(capsys.readouterr().out)["rules"]] == ["a"]
    assert main([*words, "--format", "litellm", "--output", str(tmp_path / "config.yaml")]) == 0
    text = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    assert "# Not here: route:b:1: left out, broken: because\n" in text
    assert [one["model_name"] for one in yaml.safe_load(text)["model_list"]] == ["a"]
    assert main([*words, "--output", "/nowhere/x"]) == 1
    assert "cannot write the policy to '/nowhere/x'" in capsys.readouterr().err
    assert main([*words, "--task", "c"]) == 0
    assert "no adopted findings that hold, so the policy has no rules" in capsys.readouterr().err


def test_export_of_findings(loop_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--findings exports what the report says to act on, adopted or not."""
    assert (
        main(["policy", "export", "--findings", "--store", loop_store, "--task", "good", "--until", SWITCH.isoformat()])
        == 0
    )
    (rule,) = json.loads(capsys.readouterr().out)["rules"]
    assert (rule["action"]["candidate"], rule["adopted_at"]) == ("gpt-mini", None)
