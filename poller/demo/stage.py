"""The stage of the demo: all that surrounds the poller, put up in a temporary folder and taken down again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

from mappings.files import MappingSet, read_mapping_files
from poller.demo.environment import demo_environment
from poller.demo.ledger import Ledger
from poller.demo.mapping_file import write_mapping_file
from poller.demo.producers import Producer, make_producers
from poller.demo.server import running_server
from poller.demo.sources import create_sources, open_clients


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a performance needs."""

    endpoint_url: str
    state: str
    """Where the poller is to keep its checkpoints."""
    mapping_set: MappingSet
    producers: Sequence[Producer]
    ledger: Ledger


@asynccontextmanager
async def put_up() -> AsyncIterator[Stage]:
    """Start the server, create the sources and write the mapping file.

    Raises:
        StartError: The server does not start.
    """
    # A process that was killed may hold a file open for a moment longer.
    with TemporaryDirectory(prefix="poller-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        seen_folder = folder / "seen"
        seen_folder.mkdir()
        async with running_server(folder) as endpoint_url:
            with demo_environment(endpoint_url=endpoint_url, seen_folder=seen_folder):
                async with open_clients() as clients:
                    sources = await create_sources(clients)
                    path = folder / "mappings.yaml"
                    write_mapping_file(path, sources=sources)
                    mapping_set = read_mapping_files([path], now=time())
                    yield Stage(
                        endpoint_url=endpoint_url,
                        state=f"sqlite:///{folder / 'state.db'}",
                        mapping_set=mapping_set,
                        producers=make_producers(clients, sources=sources),
                        ledger=Ledger(seen_folder, functions=tuple(mapping_set.functions)),
                    )
