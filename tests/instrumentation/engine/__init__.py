"""Test the engine."""
