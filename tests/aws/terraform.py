"""Terraform with its real AWS provider, where both are installed on the machine; nothing is fetched."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

PROVIDER = "terraform-provider-aws*"
# Where a filesystem mirror of providers may lie; Terraform's own implied ones, and what a machine was given.
MIRRORS = ("/opt", "/usr/local/share/terraform", "/usr/share/terraform", str(Path.home() / ".terraform.d"))
_DEPTH = 8


def find_mirror() -> Path | None:
    """The folder that holds that of the registry, above the provider's own; None where there is none."""
    for root in MIRRORS:
        for folder, inside, files in os.walk(root):
            if Path(folder).relative_to(root).parts[_DEPTH:]:
                inside.clear()
            if any(name.startswith(PROVIDER.rstrip("*")) for name in files):
                # mirror/registry/namespace/type/version/platform/the provider
                return Path(folder).parents[4]
    return None


def need_terraform() -> Path:
    """Skip, saying why, where Terraform or the provider is missing; else the mirror."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    mirror = find_mirror()
    if mirror is None:
        pytest.skip("no filesystem mirror of Terraform's AWS provider was found")
    return mirror


class Terraform:
    """One configuration in a folder of its own."""

    def __init__(self, folder: Path, mirror: Path, configuration: str) -> None:
        folder.mkdir()
        (folder / "main.tf").write_text(configuration)
        (folder / "terraform.rc").write_text(
            f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n'
        )
        self._folder = folder
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))},
            "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "GOGC": "400",  # a third of the provider's time is spent on its garbage
        }

    def run(self, *arguments: str, variables: Mapping[str, object] | None = None) -> str:
        """Run a command that is to succeed; what it said."""
        values = {f"TF_VAR_{name}": str(value) for name, value in (variables or {}).items()}
        done = subprocess.run(
            ["terraform", *arguments, "-no-color"],
            cwd=self._folder,
            env={**self._environment, **values},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
