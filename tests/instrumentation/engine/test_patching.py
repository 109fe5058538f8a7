"""Hold that patching replaces what it should and restores exactly what was there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from trilemma.patching import Patches


class Base:
    """Be patched."""

    def go(self) -> str:
        """Say something."""
        return "base"


class Heir(Base):
    """Inherit what is patched."""


def shout(original: Any) -> Any:
    """Wrap a method."""
    return lambda self: original(self).upper()


def count(original: Any) -> Any:
    """Wrap a method so that each wrapping is seen."""
    return lambda self: original(self) + "!"


def test_restore() -> None:
    """Restoring gives back the very object, and the inherited method where there was no own one."""
    original = vars(Base)["go"]
    patches = Patches()
    assert patches.wrap(Base, "go", shout)
    assert patches.wrap(Heir, "go", shout)
    assert Heir().go() == "BASE"
    assert (Base.go.__name__, Base.go.__doc__) == ("go", "Say something.")
    patches.restore()
    assert vars(Base)["go"] is original
    assert "go" not in vars(Heir)


def test_inherited_from_a_patched_class() -> None:
    """Whichever of two classes is patched first, what one inherits from the other is wrapped once."""
    for order in ((Base, Heir), (Heir, Base)):
        patches = Patches()
        assert all(patches.wrap(owner, "go", count) for owner in order)
        assert (Base().go(), Heir().go()) == ("base!", "base!")
        patches.restore()
        assert Heir().go() == "base"


def test_missing() -> None:
    """What is not there is not patched."""
    assert not Patches().wrap(Base, "none", shout)


def test_patched_again_by_another() -> None:
    """A patch that someone else put over ours stays his."""
    owner: Any = SimpleNamespace(go=lambda: "own")
    patches = Patches()
    patches.wrap(owner, "go", lambda original: lambda: original() + " ours")
    ours = owner.go
    owner.go = lambda: ours() + " theirs"
    theirs = owner.go
    patches.restore()
    assert owner.go is theirs
    assert owner.go() == "own ours theirs"
