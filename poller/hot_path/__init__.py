"""The hot path: receives, deletes, reads and invocations without botocore's pipeline.

aiobotocore says where a call goes and what it carries (`route.py`); here it is signed with a cached key
(`signature.py`) and sent over a pooled connection (`connections.py`). What fails is told in botocore's own
exceptions, so that errors mean the same on both paths.
"""
