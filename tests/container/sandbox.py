"""A root file system like the image's, made of this machine's own files: read-only but for two folders."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container.dockerfile import ROOT, stages

UID = int(stages()[-1].last("USER").partition(":")[0])
SYSTEM = (
    *("/usr", "/bin", "/lib", "/lib64"),
    *(
        f"/etc/{name}"
        for name in ("alternatives", "ld.so.cache", "ssl", "hosts", "nsswitch.conf", "resolv.conf")
    ),
)
# Builds the tree in a mount namespace of its own, and runs the command in it with no rights at all. All of it
# is bound where it is: the interpreter must be found, also below a home that nobody else may enter. Folders
# to write to come first: this checkout may be below /tmp, and a later mount of /tmp would hide it.
SCRIPT = """
set -eu
root=$1; uid=$2; read_only=$3; writable=$4; shift 4
mount -t tmpfs -o mode=755 tmpfs "$root"
for path in $writable; do
    mkdir -p "$root${path%=*}"
    mount --bind "${path#*=}" "$root${path%=*}"
done
for path in $read_only; do
    [ -e "${path#*=}" ] || continue
    if [ -d "${path#*=}" ]; then mkdir -p "$root${path%=*}"
    else mkdir -p "$(dirname "$root${path%=*}")"; touch "$root${path%=*}"; fi
    mount --bind "${path#*=}" "$root${path%=*}"
    mount -o remount,bind,ro "$root${path%=*}"
done
mkdir -p "$root/proc" "$root/dev"
mount --bind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,ro "$root"
cd "$root"
exec chroot . setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs --inh-caps=-all \\
    --bounding-set=-all "$@"
"""


def need_namespaces() -> None:
    """Skip where a tree of one's own cannot be made; who is not root cannot."""
    if os.geteuid() != 0:
        pytest.skip("to become another user on a read-only tree takes root")
    missing = [tool for tool in ("unshare", "setpriv", "chroot", "mount") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mount namespaces are not allowed here")


@dataclass(frozen=True)
class Sandbox:
    """Where the command of the image runs."""

    folder: Path

    def make(self) -> None:
        """The folders of the image that are its own."""
        for name in ("root", "etc-poller", "app"):
            (self.folder / name).mkdir()
        for name in ("state", "tmp"):
            (self.folder / name).mkdir()
            # As the kubelet leaves a volume: another's, but open to the group of fsGroup.
            os.chown(self.folder / name, 0, UID)
            (self.folder / name).chmod(0o2770)

    @property
    def mappings(self) -> Path:
        """/etc/poller, as a ConfigMap mounts it: links to files behind a folder that is swapped whole."""
        return self.folder / "etc-poller"

    def start(self, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Run the image's command as its user; the process is the poller itself."""
        image = stages()[-1]
        program = str(Path(sys.executable).with_name(image.command("ENTRYPOINT")[0]))
        variables = {**image.environment, **environment, "PATH": "/usr/bin:/bin"}
        command = ["env", "-i", "--chdir=/app", *(f"{name}={text}" for name, text in variables.items())]
        with (self.folder / "stderr.log").open("w") as errors:
            return subprocess.Popen(
                self._unshared([*command, program, *image.command("CMD")]),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def log(self) -> str:
        """What it logged."""
        return (self.folder / "stderr.log").read_text()

    def _unshared(self, command: Sequence[str]) -> Sequence[str]:
        here = [f"{path}={path}" for path in (*SYSTEM, sys.base_prefix, sys.prefix, str(ROOT))]
        own = [f"/etc/poller={self.mappings}", f"/app={self.folder / 'app'}"]
        writable = [f"/var/lib/poller={self.folder / 'state'}", f"/tmp={self.folder / 'tmp'}"]
        arguments = [str(self.folder / "root"), str(UID), " ".join([*here, *own]), " ".join(writable)]
        return [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            SCRIPT,
            "sh",
            *arguments,
            *command,
        ]
