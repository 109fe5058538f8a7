"""Tests of the embedded collector, over its real ports."""
