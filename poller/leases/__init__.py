"""Lease stores: where leases and their checkpoints live."""
