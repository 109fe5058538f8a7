"""Test the provider SDKs under instrumentation."""
