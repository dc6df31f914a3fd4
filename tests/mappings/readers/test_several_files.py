"""Several files are one set: whose name an answer means, and which names stand for functions."""

from pathlib import Path

import pytest

from tests.mappings.readers.reading import ACCOUNT, CASES, SQS, read, refused

A, B = CASES / "shop_a.yaml", CASES / "shop_b.yaml"
UNNAMED = "is the logical ID of a function without a FunctionName"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def template(queue: str) -> str:
    return f"""
Parameters: {{Stage: {{Type: String}}}}
Resources:
  Orders: {{Type: AWS::SQS::Queue}}
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{EventSourceArn: {queue}, FunctionName: !Sub "work-${{Stage}}"}}
"""


def test_an_unnamed_function_is_asked_for() -> None:
    """AWS never gives a function its logical ID as name."""
    (problem,) = refused([CASES / "unnamed_function.yaml"])

    assert problem == (
        f"unnamed_function.yaml: Resources.Worker.Events.Q ({SQS}:un-orders -> Worker): Worker {UNNAMED}, "
        "and no file that was read defines a function of that name; --set Worker=NAME gives the name"
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_mapping_file_may_define_the_unnamed_function(tmp_path: Path, *, first: bool) -> None:
    """Whichever of the files comes first."""
    functions = written(tmp_path, "functions.yaml", "functions: {Worker: {url: 'http://a'}}\n")
    files = [functions, CASES / "unnamed_function.yaml"]

    assert read(files if first else files[::-1]).mappings[0].function_name == "Worker"


def test_a_logical_id_that_is_too_long_for_a_name_is_said_to_be_one() -> None:
    """With the flag that gives the name."""
    name = "IngestionPipelineOrderEventsNotificationServiceEmailDeliveryWorkerB64DFC46"

    assert refused([CASES / "long_logical_id.yaml"])[0].endswith(
        f"{name} {UNNAMED}, and longer than a function's name may be, 64 characters; "
        f"--set {name}=NAME gives the name"
    )
    found = read([CASES / "long_logical_id.yaml"], {name: "mailer"})
    assert found.mappings[0].function_name == "mailer"


def test_a_literal_name_that_is_also_a_logical_id_is_a_name(tmp_path: Path) -> None:
    """Only a reference to the unnamed function stands for its logical ID."""
    path = written(
        tmp_path,
        "t.yaml",
        f"""
Resources:
  Worker: {{Type: AWS::Lambda::Function, Properties: {{}}}}
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {{EventSourceArn: "{SQS}:x", FunctionName: Worker}}
""",
    )

    assert read([path]).mappings[0].function_name == "Worker"


def test_what_comes_after_the_name_of_an_unnamed_function_is_asked_for(tmp_path: Path) -> None:
    """A queue that is called after the function has no name that a template tells."""
    path = written(
        tmp_path,
        "t.yaml",
        """
Resources:
  Worker: {Type: AWS::Lambda::Function, Properties: {}}
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${Worker}-in"}}
  M:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Q.Arn, FunctionName: work}
""",
    )

    (problem,) = refused([path], ACCOUNT)

    assert problem == (
        "t.yaml: Resources.M (work): EventSourceArn: !Ref Worker is known only on deployment, because "
        "Worker has no FunctionName; --set Worker=VALUE gives it"
    )


def test_two_files_with_one_logical_id_are_asked_for_each_by_its_file() -> None:
    """The mend names both files."""
    assert [problem.rpartition("; ")[2] for problem in refused([A, B])] == [
        "--set shop_a.yaml:Worker=NAME gives the name",
        "--set shop_b.yaml:Worker=NAME gives the name",
    ]


def test_an_answer_that_two_files_would_take_is_refused_until_it_says_which() -> None:
    """A name of a file is no parameter; with FILE: each gets its own."""
    assert refused([A, B], {"Worker": "shop"})[-1] == (
        "--set Worker: shop_a.yaml and shop_b.yaml both have this name; "
        "--set shop_a.yaml:Worker=VALUE and --set shop_b.yaml:Worker=VALUE say which"
    )
    found = read([A, B], {f"{A}:Worker": "a", f"{B}:Worker": "b"})
    assert [mapping.function_name for mapping in found.mappings] == ["a", "b"]


def test_an_answer_for_one_file_leaves_the_plain_one_to_the_other() -> None:
    """Then only one file takes it."""
    found = read([A, B], {f"{A}:Worker": "a", "Worker": "b"})

    assert [mapping.function_name for mapping in found.mappings] == ["a", "b"]


def test_one_definition_is_not_two_unnamed_functions(tmp_path: Path) -> None:
    """Both places are named."""
    functions = written(tmp_path, "functions.yaml", "functions: {Worker: {url: 'http://a'}}\n")

    (problem,) = refused([A, B, functions])

    assert problem == (
        f"shop_b.yaml: Resources.Worker.Events.Q ({SQS}:b-orders -> Worker): Worker {UNNAMED}, as in "
        f"{A}: one name would stand for two functions; --set shop_b.yaml:Worker=NAME gives the name"
    ).replace(f"{A.parent}/", "")


def test_a_parameter_is_answered_in_every_file(tmp_path: Path) -> None:
    """So are pseudo parameters."""
    files = [written(tmp_path, f"{name}.yaml", template(f'"{SQS}:{name}"')) for name in ("a", "b")]

    found = read(files, {"Stage": "prod"})

    assert [mapping.function_name for mapping in found.mappings] == ["work-prod"] * 2


def test_a_parameter_may_be_answered_for_one_file(tmp_path: Path) -> None:
    """FILE is any of the arguments, or a file in a directory among them; the longest that fits is taken."""
    for name in ("a", "b"):
        written(tmp_path, f"{name}.yaml", template(f'"{SQS}:{name}"'))

    found = read([tmp_path], {f"{tmp_path}/a.yaml:Stage": "test", f"{tmp_path}:Stage": "prod"})

    assert [mapping.function_name for mapping in found.mappings] == ["work-test", "work-prod"]


def test_an_attribute_of_a_resource_is_its_files_own(tmp_path: Path) -> None:
    """Two stacks have two queues by one logical ID."""
    files = [written(tmp_path, f"{name}.yaml", template("!GetAtt Orders.Arn")) for name in ("a", "b")]

    assert "both have this name" in refused(files, {"Stage": "x", "Orders.Arn": f"{SQS}:orders"})[0]


def test_pseudo_parameters_are_never_unused() -> None:
    """Every deployment has them, whether a template asks or not; a slip of the name is told."""
    path = CASES / "nothing_asked.yaml"

    assert len(read([path], ACCOUNT).mappings) == 1
    assert refused([path], {"AWS::Regoin": "x"}) == [
        "--set AWS::Regoin: no file that was read refers to AWS::Regoin"
    ]


def test_an_answer_for_one_file_that_does_not_need_it_is_refused() -> None:
    """Accepted and ignored is forbidden."""
    assert refused([A, B], {f"{A}:Worker": "a", "Worker": "b", f"{B}:Stage": "x"}) == [
        "--set shop_b.yaml:Stage: no file that was read refers to Stage"
    ]
