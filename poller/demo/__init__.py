"""`poller demo`: the main job on an embedded AWS-compatible server, with every record accounted for."""
