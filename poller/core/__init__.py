"""Decisions. Synchronous and pure: no I/O, no clock, no randomness, no logging; `now` is an argument."""
