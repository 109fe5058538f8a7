"""Tests of the schema, the embedded collector and the production collector."""
