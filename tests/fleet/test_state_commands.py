"""The commands that look at a state and move positions, on a file and on DynamoDB Local."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import boto3
import pytest
import structlog
from click.testing import CliRunner, Result

from poller.aws import Aws
from poller.cli import main
from poller.core.leasing import Lease
from poller.core.records import Position
from poller.core.timewindow import TimeWindow, WindowState
from poller.state import State, open_state
from tests.conftest import Moto, point_at, unique
from tests.servers.dynamodb_local import REGION, DynamoDbLocal

WINDOW = WindowState(window=TimeWindow(start=60, end=120), state=b'{"n":1}')


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """A command sets up logging for its process, which is this one, to a stream that ends with it."""
    yield
    structlog.reset_defaults()


def poller(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def within(url: str, work: Callable[[State], Any]) -> Any:
    """Do something with a state."""

    async def do() -> Any:
        async with Aws() as aws, open_state(url, aws=aws) as state:
            return await work(state)

    return anyio.run(do)


def leases() -> list[Lease]:
    """Two mappings, one of them within a window."""
    return [
        Lease(mapping="m1", shard="s1", incarnation="i", checkpoint=Position.after("9" * 56), window=WINDOW),
        Lease(mapping="m1", shard="s2", incarnation="i", checkpoint=Position.shard_end(), parents=("s0",)),
        Lease(mapping="m2", shard="s1", incarnation="j", checkpoint=Position.at_timestamp(12.5)),
    ]


async def all_leases(state: State) -> list[Lease]:
    """Everything in a state."""
    return [lease for uuid in await state.leases.mappings() for lease in await state.leases.list(uuid)]


@pytest.fixture
def table(dynamodb: DynamoDbLocal) -> str:
    """The URL of a table that `state init` has made."""
    url = f"dynamodb://{unique('fleet')}?namespace=blue&region={REGION}"
    assert "made table" in poller("state", "init", "--state", url).output
    return url


def test_a_table_is_made_once(table: str) -> None:
    """The second time nothing is changed, and it says so."""
    again = poller("state", "init", "--state", table)

    assert again.exit_code == 0
    assert "nothing was changed" in again.output


def test_a_table_of_something_else_is_refused(dynamodb: DynamoDbLocal) -> None:
    """Its items would be in the way, and ours in theirs."""
    name = dynamodb.table().name
    refused = poller("state", "init", "--state", f"dynamodb://{name}?region={REGION}")

    assert refused.exit_code == 2
    assert "belongs to something else" in refused.output


def test_only_a_table_is_made() -> None:
    """A file makes itself."""
    assert poller("state", "init", "--state", "sqlite:///x.db").exit_code == 2


def test_positions_move_from_a_file_to_a_table_and_back(table: str, tmp_path: Path) -> None:
    """Checkpoints, parents and open windows, to the byte; owners stay behind."""
    file, back = f"sqlite:///{tmp_path / 'a.db'}", f"sqlite:///{tmp_path / 'b.db'}"

    async def fill(state: State) -> None:
        await state.leases.create(leases())
        await state.leases.take(leases()[0], "w1")

    within(file, fill)
    for source, target, name in ((file, table, "1.json"), (table, back, "2.json")):
        export = str(tmp_path / name)
        assert poller("state", "export", export, "--state", source).exit_code == 0
        taken = poller("state", "import", export, "--state", target)
        assert taken.output == "took in 3 positions of 2 mappings\n"

    assert within(table, all_leases) == within(back, all_leases) == leases()


def test_positions_that_are_there_are_not_replaced_unasked(table: str, tmp_path: Path) -> None:
    """To move a checkpoint is to lose records, or to deliver them again."""
    within(table, lambda state: state.leases.create(leases()))
    export = str(tmp_path / "x.json")
    poller("state", "export", export, "--state", table)

    refused = poller("state", "import", export, "--state", table)
    forced = poller("state", "import", export, "--state", table, "--force")

    assert refused.exit_code == 2
    assert "mapping m1 has 2 positions; replace them with --force" in refused.output
    assert forced.exit_code == 0


def test_positions_that_are_being_read_are_not_replaced_at_all(table: str, tmp_path: Path) -> None:
    """Their reader would go on from where it is."""

    async def read(state: State) -> None:
        from poller.core.members import Member

        assert state.members is not None
        await state.members.join(Member(id="w1"))
        await state.leases.create(leases())
        await state.leases.take(leases()[0], "w1")

    within(table, read)
    export = str(tmp_path / "x.json")
    poller("state", "export", export, "--state", table)

    refused = poller("state", "import", export, "--state", table, "--force")

    assert refused.exit_code == 2
    assert "being read by 1 workers" in refused.output


@pytest.mark.parametrize("text", ["", "{}", '{"format": 9, "leases": []}', '{"format": 1, "leases": [{}]}'])
def test_what_is_no_export_is_refused(text: str, tmp_path: Path) -> None:
    """Nothing is written."""
    file = tmp_path / "x.json"
    file.write_text(text)
    state = f"sqlite:///{tmp_path / 'a.db'}"

    refused = poller("state", "import", str(file), "--state", state)

    assert refused.exit_code == 2
    assert within(state, all_leases) == []


def test_an_export_overwrites_nothing(tmp_path: Path) -> None:
    """The file may be the only copy of earlier positions."""
    (tmp_path / "x.json").write_text("mine")
    state = f"sqlite:///{tmp_path / 'a.db'}"

    assert poller("state", "export", str(tmp_path / "x.json"), "--state", state).exit_code == 2
    assert (tmp_path / "x.json").read_text() == "mine"


def test_a_state_is_shown(table: str) -> None:
    """Leases, owners, checkpoints and ages; for people, and for programs."""

    async def fill(state: State) -> None:
        from poller.core.members import Member

        assert state.members is not None
        await state.members.join(Member(id="w1", label="host-7"))
        await state.leases.create(leases())
        held = await state.leases.take(leases()[2], "w1")
        await state.leases.checkpoint(held, Position.after("77"))

    within(table, fill)
    shown = poller("state", "--state", table).output
    document = json.loads(poller("state", "--state", table, "--json").output)

    assert "host-7" in shown
    assert "AFTER_SEQUENCE_NUMBER:77" in shown
    assert shown.endswith("3 leases\n")
    assert document["workers"][0]["is"] == "alive"
    (row,) = [row for row in document["leases"] if row["mapping"] == "m2"]
    assert (row["host"], row["checkpoint"]) == ("host-7", "AFTER_SEQUENCE_NUMBER:77")
    assert 0 <= row["age_s"] < 60


@pytest.fixture
def kcl(
    moto_server: Moto, dynamodb_server: DynamoDbLocal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> "Kcl":
    """A stream on moto, a KCL table on DynamoDB Local, and this process pointed at both."""
    point_at(monkeypatch, {**moto_server.environment, "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_server.endpoint})
    return Kcl(moto_server, dynamodb_server.endpoint, tmp_path)


class Kcl:
    """An application that has ended."""

    def __init__(self, moto: Moto, dynamodb: str, folder: Path) -> None:
        self.stream, arn = moto.stream(2)
        self.table = unique("kcl")
        self.client = boto3.client("dynamodb", endpoint_url=dynamodb, region_name="us-east-1")
        self.client.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.file = folder / "mappings.json"
        mapping = {"EventSourceArn": arn, "FunctionName": "f", "StartingPosition": "LATEST"}
        self.file.write_text(
            json.dumps({"functions": {"f": {"url": "http://127.0.0.1:1"}}, "mappings": [mapping]})
        )
        self.state = f"sqlite:///{folder / 'state.db'}"

    def put(self, shard: int, checkpoint: str, counter: int = 1, owner: str = "worker-7") -> None:
        """Write a lease as KCL does."""
        self.client.put_item(
            TableName=self.table,
            Item={
                "leaseKey": {"S": f"shardId-{shard:012}"},
                "checkpoint": {"S": checkpoint},
                "checkpointSubSequenceNumber": {"N": "0"},
                "leaseCounter": {"N": str(counter)},
                "leaseOwner": {"S": owner},
                "ownerSwitchesSinceCheckpoint": {"N": "0"},
            },
        )

    def take_over(self, *more: str) -> Result:
        """Run the command."""
        return poller(
            *("state", "import-kcl", self.table, str(self.file), "--mapping", "f", "--state", self.state),
            *more,
        )


def test_a_kcl_application_is_taken_over(kcl: Kcl) -> None:
    """The mapping goes on where it ended, though it would start at LATEST."""
    kcl.put(0, "123456789")
    kcl.put(1, "TRIM_HORIZON")

    done = kcl.take_over("--force")
    found = within(kcl.state, all_leases)

    assert done.output == "took in 2 positions of 1 mappings\n"
    assert [str(lease.checkpoint) for lease in found] == ["AFTER_SEQUENCE_NUMBER:123456789", "TRIM_HORIZON"]


def test_a_kcl_application_that_runs_is_not(kcl: Kcl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would deliver the same records."""
    monkeypatch.setattr("poller.positions.KCL_LOOK_S", 0.1)
    kcl.put(0, "5")
    over = threading.Event()

    def renew() -> None:
        for counter in itertools.count(2):
            kcl.put(0, "5", counter=counter)
            if over.wait(0.05):
                return

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        refused = kcl.take_over()
    finally:
        over.set()
        renewing.join()

    assert refused.exit_code == 2
    assert "name as owners: worker-7; looking for up to 65 s" in refused.output
    assert "still works on its leases (worker-7): end it first" in refused.output
