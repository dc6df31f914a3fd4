"""Queues of asynchronous events: accepted, durable, and taken when they are due."""
