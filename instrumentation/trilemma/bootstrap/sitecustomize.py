"""Switch trilemma on as Python starts: `trilemma run` puts this folder first on PYTHONPATH.

It must not break a program: one that cannot import trilemma runs without it. Written for any Python 3, because the
program may start one that is older than trilemma's own.
"""

import importlib.machinery
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would cost every program its import


def run_hidden_sitecustomize() -> None:
    """Run the sitecustomize that this one hides: the system's, the app's own, or another tool's."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]  # noqa: PTH100 - see HERE
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def switch_on() -> None:
    """Instrument this process, or say in one line why not."""
    try:
        from trilemma.export import ExportSettings
        from trilemma.instrumentor import instrument_deferred

        asked = (os.environ.get("TRILEMMA_RUN_ENDPOINT"), os.environ.get("TRILEMMA_RUN_PROTOCOL"))
        instrument_deferred(ExportSettings(*asked))
    except ImportError as error:
        install = sys.executable + " -m pip install trilemma"
        _say(str(error) + ". To trace it: " + install)
    except Exception as error:  # noqa: BLE001 - whatever it is, the program must run
        _say(str(error) or type(error).__name__)


def _say(reason: str) -> None:
    sys.stderr.write("trilemma: this program runs untraced. " + reason + "\n")


try:
    run_hidden_sitecustomize()
finally:
    switch_on()
