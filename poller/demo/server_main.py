"""The main program of the server's process: moto's server, for as long as the parent lives."""

import logging
import os
import sys

from moto.server import ThreadedMotoServer


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    print(port, flush=True)  # noqa: T201  # how the parent learns it
    # The parent never writes: this returns when it has closed its end, or is gone, however it went.
    sys.stdin.buffer.read()
    # At once: threads may still be answering requests of nobody.
    os._exit(0)


if __name__ == "__main__":
    main()
