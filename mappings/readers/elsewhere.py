"""Files that people give and that cannot be read: what they are, and which file to give instead."""

import re

_SHOW = "give what terraform show -json prints of a plan or of the state"
_WAYS = (
    (
        re.compile(r'^\s*\{(?=[^}]*"terraform_version")(?=[^}]*"(lineage|serial)")'),
        f"the file is a raw state of Terraform; {_SHOW}",
    ),
    (
        re.compile(
            r'^\s*((resource|data)\s+"\w+"\s+"[^"]+"|(module|variable|output|provider)\s+"[^"]+"'
            r"|terraform|locals)\s*\{",
            re.MULTILINE,
        ),
        f"the file is a configuration of Terraform; {_SHOW}",
    ),
    (
        re.compile(r"^(module\.exports\b|export default\b|const serverlessConfiguration\b)", re.MULTILINE),
        (
            "the file is a program; give what it makes of the service or the application: serverless "
            "package, then .serverless/cloudformation-template-update-stack.json, or cdk synth, then cdk.out"
        ),
    ),
)


def other_way(text: str) -> str | None:
    """Return what a file of a known kind that is not read is, and the way to have it read."""
    return next((sentence for pattern, sentence in _WAYS if pattern.search(text)), None)
