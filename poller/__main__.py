"""`python -m poller` and the `poller` command."""

from poller.cli import main

if __name__ == "__main__":
    main()
