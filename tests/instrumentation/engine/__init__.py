"""Test the engine's parts by themselves."""
