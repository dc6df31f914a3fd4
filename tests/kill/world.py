"""One world: sources and functions that outlive the poller, lives of the poller, and the history of it all."""

import os
import random
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from mappings.arns import SourceKind
from mappings.files import MappingSet, read_mapping_files
from poller.core.outcomes import Outcome
from poller.core.records import PositionKind
from poller.interfaces import Invocation
from tests.fakes.dynamodb import DYNAMODB, dynamodb_stream, rotate
from tests.fakes.faults import Faults
from tests.fakes.functions import FakeFunction, FakeTarget
from tests.fakes.history import (
    Answered, Died, DrainBegun, Ended, Event, History, Quiet, Ready, Received, Started,
)
from tests.fakes.kinesis import KINESIS, kinesis_stream, merge, split
from tests.fakes.sqs import FakeQueue
from tests.fakes.streams import FakeStream
from tests.fakes.wire import Wire
