# Two words do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
FRAMEWORKS := .venv-frameworks
FRAMEWORK_TESTS := tests/instrumentation/frameworks
UV := $(BIN)/uv pip install --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench calibrate collector clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Create .venv and install trilemma with everything

$(VENV)/.installed: pyproject.toml tests/constraints.txt
	@echo "==> creating $(VENV) and installing trilemma[dev] (a minute or two the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "trilemma needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Set one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint tests/constraints.txt uv
	@$(UV) --python $(BIN)/python --constraint tests/constraints.txt --editable '.[dev]'
	@touch $@

$(OLDEST)/.installed: pyproject.toml tests/constraints-oldest.txt $(VENV)/.installed
	@echo "==> creating $(OLDEST) with the oldest provider SDKs that trilemma supports"
	@$(PYTHON) -m venv $(OLDEST)
	@$(UV) --python $(OLDEST)/bin/python --constraint tests/constraints-oldest.txt --editable . openai anthropic groq together mistralai cohere ollama huggingface-hub google-genai boto3 aiobotocore replicate httpx pytest pytest-asyncio pytest-randomly pytest-timeout
	@touch $@

# Frameworks want other versions of SDKs than the newest, and not all the same: two environments, each pinned whole.
$(FRAMEWORKS)/.installed $(FRAMEWORKS)-openai2/.installed: .venv-%/.installed: tests/constraints-%.txt pyproject.toml $(VENV)/.installed
	@echo "==> creating .venv-$* with the frameworks whose agents and tools trilemma sees"
	@$(PYTHON) -m venv .venv-$*
	@$(UV) --python .venv-$*/bin/python --requirement tests/constraints-$*.txt --editable .
	@touch $@

# The notebooks are tested in a real browser. Where there is none and we may not install it, that test is skipped; in CI
# it then fails.
.cache/.chromium:
	@mkdir -p .cache
	@if command -v chromium chromedriver > $@.log; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > $@.log; then \
	  echo "==> installing Chromium, to test the notebooks in it (Debian packages chromium, chromium-driver)"; \
	  { apt-get update -qq && apt-get install -qq --no-install-recommends chromium chromium-driver; } > $@.log 2>&1 \
	    && touch $@ || echo "==> that failed ($@.log says why): the browser test will be skipped"; \
	else echo "==> no Chromium here: the browser test will be skipped"; fi

demo: $(VENV)/.installed ## Run a small LLM app, trace it, store it, and print what to change
	@$(BIN)/python -m tests.demo

test: $(VENV)/.installed $(OLDEST)/.installed $(FRAMEWORKS)/.installed $(FRAMEWORKS)-openai2/.installed .cache/.chromium lint ## Set up everything and pass all tests
	@echo "==> tests, newest provider SDKs"
	@$(BIN)/python -m pytest
	@echo "==> provider tests, oldest provider SDKs"
	@$(OLDEST)/bin/python -m pytest tests/instrumentation/providers
	@echo "==> framework tests, with openai 3 and with openai 2 (LiteLLM leaves its clients to the garbage collector)"
	@$(FRAMEWORKS)/bin/python -m pytest tests/instrumentation/providers/bedrock 'tests/instrumentation/providers/test_mutated.py::test_mutated[botocore]' $(addprefix $(FRAMEWORK_TESTS)/test_,langchain.py mcp.py openai_agents.py pydantic_ai.py)
	@$(FRAMEWORKS)-openai2/bin/python -m pytest -p no:unraisableexception $(addprefix $(FRAMEWORK_TESTS)/test_,litellm.py litellm_mutated.py llama_index.py)

lint: $(VENV)/.installed ## Check style, format and types
	@echo "==> ruff, mypy"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

format: $(VENV)/.installed ## Let ruff lay out the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: $(VENV)/.installed ## Measure overhead, receiver speed and storage against peers and floors
	@$(BIN)/python -m tests.bench

calibrate: $(VENV)/.installed ## Prove the statistics by ten thousand replays each and write the table
	@$(BIN)/python -m tests.analysis.stats.calibrate

collector: $(VENV)/.installed ## Build the OpenTelemetry Collector with the official builder (needs Go >= 1.26)
	@$(BIN)/python -m trilemma_collector.build

clean: ## Remove what the commands above made
	rm -rf $(VENV) $(OLDEST) $(FRAMEWORKS) $(FRAMEWORKS)-openai2 .cache .mypy_cache .ruff_cache .pytest_cache build dist .trilemma/demo trilemma-report.html
