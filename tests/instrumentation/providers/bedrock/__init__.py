"""Test boto3 and aioboto3 under instrumentation, against a server on a real socket."""
