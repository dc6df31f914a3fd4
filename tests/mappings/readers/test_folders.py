"""What `cdk synth` leaves in cdk.out: the templates of it are read, and nothing else."""

import json
from pathlib import Path

from tests.mappings.readers.reading import SQS, read, refused


def template(queue: str) -> dict[str, object]:
    properties = {"EventSourceArn": f"{SQS}:{queue}", "FunctionName": "f"}
    return {"Resources": {"M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}}


def assembly(folder: Path) -> Path:
    """Write an assembly of a stack with a nested stack, and of a stage."""
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": {"Fn::Join": ["", ["https://s3.", {"Ref": "AWS::URLSuffix"}, "/x"]]}},
        "Metadata": {"aws:asset:path": "ShopInner.nested.template.json"},
    }
    outer = {"Resources": {"Inner": nested, **template("outer")["Resources"]}}  # type: ignore[dict-item]
    files = {
        "manifest.json": {"version": "48.0.0", "artifacts": {}},
        "tree.json": {"version": "tree-0.1", "tree": {}},
        "Shop.assets.json": {"version": "48.0.0", "files": {}},
        "Shop.template.json": outer,
        "ShopInner.nested.template.json": template("inner"),
        "assembly-Prod/ProdShop.template.json": template("prod"),
    }
    for name, document in files.items():
        path = folder / "cdk.out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    return folder / "cdk.out"


def test_the_templates_of_a_cloud_assembly_are_read(tmp_path: Path) -> None:
    """With nested stacks and stages; assets, the tree and the manifest are none."""
    found = read([assembly(tmp_path)])

    assert sorted(mapping.event_source.arn for mapping in found.mappings) == [
        f"{SQS}:inner",
        f"{SQS}:outer",
        f"{SQS}:prod",
    ]


def test_a_nested_stack_of_cdk_alone_names_its_template(tmp_path: Path) -> None:
    """Which CDK writes beside it."""
    (problem,) = refused([assembly(tmp_path) / "Shop.template.json"])

    assert problem == (
        "Shop.template.json: Resources.Inner: TemplateURL: ShopInner.nested.template.json may define "
        "mappings and is not read; give it as a file as well"
    )
