"""Tests of the production collector, its configurations, compose file and board."""
