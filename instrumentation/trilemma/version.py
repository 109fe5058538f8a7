"""Own the version, once: the build reads it here, and spans name it; asking the installed package takes 12 ms."""

__all__ = ["VERSION"]

VERSION = "0.1.0.dev0"
