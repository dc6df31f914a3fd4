"""Invocations that clients ask for: the Lambda Invoke API over the functions that mapping files list."""
