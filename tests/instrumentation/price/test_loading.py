"""Own the proof of when and how the price table is loaded: late, once, without the network, safely beside forks."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run_python(code: str) -> str:
    """Run code in a Python of its own and return what it printed; fail with what it wrote to stderr."""
    done = subprocess.run(
        # Python 3.12 and later warn of every fork beside a thread.
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_not_loaded_until_needed() -> None:
    """Importing trilemma and switching it on does not load the table."""
    assert run_python("""
        import sys, trilemma
        trilemma.instrument(export=False)
        import trilemma.price
        print("genai_prices" in sys.modules, "trilemma.price_table" in sys.modules)
    """) == "False False"  # fmt: skip


def test_loads_in_the_background() -> None:
    """Asked to load soon, it loads on a thread of its own, and the next call finds it there."""
    assert run_python("""
        import sys, threading
        from trilemma.price import load_soon, price_call
        load_soon()
        [loader] = [thread for thread in threading.enumerate() if thread.name == "trilemma-prices"]
        loader.join()
        print("trilemma.price_table" in sys.modules)
        load_soon()
        print(threading.active_count())
        print(price_call({"provider": "openai", "response_model": "gpt-4o-mini", "input_tokens": 0,
                          "output_tokens": 1000}, 1.79e9)["cost"])
    """) == "True\n1\n0.0006"  # fmt: skip


def test_first_price_waits_for_the_load() -> None:
    """A call that ends while the table is loading is priced all the same."""
    assert run_python("""
        from trilemma.price import load_soon, price_call
        load_soon()
        print(price_call({"provider": "openai", "response_model": "gpt-4o-mini", "input_tokens": 0,
                          "output_tokens": 1000}, 1.79e9)["cost"])
    """) == "0.0006"  # fmt: skip


def test_never_touches_the_network() -> None:
    """Loading and pricing open no socket."""
    assert run_python("""
        import socket
        def refuse(*args, **kwargs):
            raise AssertionError("network")
        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
        from trilemma.price import price_call
        print(price_call({"provider": "openai", "response_model": "gpt-4o-mini", "input_tokens": 0,
                          "output_tokens": 1000}, 1.79e9)["cost"])
        print(price_call({"provider": "openai", "response_model": "gpt-99", "input_tokens": 1,
                          "output_tokens": 1}, 1.79e9)["cost_source"])
    """) == "0.0006\nunpriced"  # fmt: skip


def test_fork_amid_the_load() -> None:
    """A process that forks while the table loads has a child that can load it too, and does not hang."""
    assert run_python("""
        import os, sys, time
        from trilemma.price import load_soon, price_call
        record = {"provider": "openai", "response_model": "gpt-4o-mini", "input_tokens": 0, "output_tokens": 1000}
        load_soon()
        while "genai_prices" not in sys.modules:
            time.sleep(0)
        child = os.fork()
        cost = price_call(record, 1.79e9)["cost"]
        if child == 0:
            os._exit(0 if cost == 0.0006 else 1)
        print(os.waitpid(child, 0)[1], cost)
    """) == "0 0.0006"  # fmt: skip


def test_broken_table_breaks_no_call() -> None:
    """Where genai-prices cannot be imported, calls are unpriced, and one line says so."""
    code = """
        import sys; sys.modules["genai_prices"] = None
        from trilemma.price import price_call
        for _ in range(3): print(price_call({"input_tokens": 1, "output_tokens": 1}, 0.0))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["{'cost_source': 'unpriced', 'unpriced_reason': 'table'}"] * 3
    assert done.stderr.count("the price table cannot be loaded") == 1
