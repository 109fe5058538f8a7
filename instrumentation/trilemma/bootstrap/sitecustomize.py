"""Switch trilemma on as Python starts: `trilemma run` puts this folder first on PYTHONPATH.

Every Python that the program starts runs this, so it costs next to nothing: trilemma is imported when a provider's SDK
is. And it must not break a program: one that cannot import trilemma runs without it. Written for any Python 3, because
the program may start one that is older than trilemma's own.
"""

# mypy: ignore-errors
import _signal  # not signal: that takes 3 ms, to give numbers names
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

HERE = os.path.dirname(os.path.abspath(__file__))  # pathlib would cost every program its import


def run_hidden_sitecustomize() -> None:
    """Run the sitecustomize that this one hides: the system's, the app's own, or another tool's."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


class ImportWatcher:
    """Be first to know of an import of a provider's SDK, or of trilemma itself, and switch trilemma on after it."""

    def __init__(self, names) -> None:
        self.names = names

    def find_spec(self, name, path=None, target=None):
        """Find a module as Python would, and add to its execution what is to happen after it."""
        if name not in self.names:
            return None
        others = [finder.find_spec for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        spec = next((spec for spec in (find(name, path, target) for find in others) if spec is not None), None)
        loader = getattr(spec, "loader", None)
        execute = getattr(loader, "exec_module", None)

        def execute_and_switch_on(module) -> None:
            del loader.exec_module
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                switch_on()

        try:
            loader.exec_module = execute_and_switch_on
        except AttributeError:  # not installed, or a loader that takes no attributes
            return None
        return spec


def switch_on() -> None:
    """Instrument this process, or say in one line why not."""
    try:
        from trilemma.export import ExportSettings
        from trilemma.instrumentor import instrument_deferred

        asked = (os.environ.get("TRILEMMA_RUN_ENDPOINT"), os.environ.get("TRILEMMA_RUN_PROTOCOL"))
        instrument_deferred(ExportSettings(*asked))
    except ImportError as error:
        say(str(error) + ". To trace it: " + sys.executable + " -m pip install trilemma")
    except Exception as error:  # noqa: BLE001 - whatever it is, the program must run
        say(str(error) or type(error).__name__)


def say(reason: str) -> None:
    """Write a line for whoever looks at the program's output."""
    sys.stderr.write("trilemma: this program runs untraced. " + reason + "\n")


def watch_sigterm() -> None:
    """Take SIGTERM where nobody else does: a server that asks first would find it too late (trilemma.closing)."""
    if os.name == "posix" and _signal.getsignal(_signal.SIGTERM) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGTERM, end_orderly)


def end_orderly(number, frame) -> None:
    """End as SIGTERM's default does, after sending what waits if anything can."""
    closing = sys.modules.get("trilemma.closing")
    if closing is not None:
        closing.close_and_end(number, frame)
    elif os.getpid() != 1:  # the kernel does not end a container's first process by SIGTERM's default
        _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)


try:
    run_hidden_sitecustomize()
finally:
    sys.meta_path.insert(0, ImportWatcher(os.environ.get("TRILEMMA_RUN_MODULES", "").split(",")))
    watch_sigterm()
