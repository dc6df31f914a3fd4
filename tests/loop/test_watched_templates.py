"""A template that changes while the poller runs is understood as it was at the start."""

from pathlib import Path

from mappings.files import MappingSet
from mappings.readers.answers import Given, answers_of_flags
from poller.watcher import FileWatcher

TEMPLATE = """
Parameters: {{Stage: {{Type: String}}}}
Resources:
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !Sub "arn:aws:sqs:eu-west-1:123456789012:orders-${{Stage}}"
      FunctionName: audit
      BatchSize: {size}
"""


async def test_a_changed_template_is_read_with_the_answers_of_the_start(tmp_path: Path) -> None:
    """What it refers to is still known."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE.format(size=5))
    taken_up: list[MappingSet] = []

    async def take_up(found: MappingSet) -> None:
        taken_up.append(found)

    watcher = FileWatcher([path], take_up, Given(answers=answers_of_flags(["Stage=prod"])))
    path.write_text(TEMPLATE.format(size=10))
    await watcher.look()

    (mapping,) = taken_up[0].mappings
    assert (mapping.event_source.name, mapping.batch_size) == ("orders-prod", 10)


async def test_a_file_that_a_service_takes_in_is_watched(tmp_path: Path) -> None:
    """Though it is none of the arguments."""
    path, other = tmp_path / "serverless.yml", tmp_path / "queue.yml"
    path.write_text(
        "service: shop\nprovider: {name: aws}\nfunctions: {f: {events: [{sqs: '${file(queue.yml):arn}'}]}}\n"
    )
    other.write_text("arn: arn:aws:sqs:eu-west-1:123456789012:a\n")
    taken_up: list[MappingSet] = []

    async def take_up(found: MappingSet) -> None:
        taken_up.append(found)

    watcher = FileWatcher([path], take_up, included=[str(other)])
    other.write_text("arn: arn:aws:sqs:eu-west-1:123456789012:another\n")
    await watcher.look()
    await watcher.look()

    assert [found.mappings[0].event_source.name for found in taken_up] == ["another"]
