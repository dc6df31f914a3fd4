"""One world: sources and functions that outlive the poller, lives of the poller, and the history of it all."""
