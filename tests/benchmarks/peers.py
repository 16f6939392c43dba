"""How others do our work: the command of each program, with its config, for a job on the stub."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.stub import World

Service = Literal["s3", "glacier", "qingstor"]
Job = Literal["list", "clean"]

NAIVE = Path(__file__).with_name("naive.py")
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
THREADS = 64
PAGE = 1000


class Absent(Exception):  # noqa: N818  # it is a word in a table
    """The program is not here, or cannot do this job."""


@dataclass(frozen=True, slots=True)
class Task:
    """One job on the world that the stub at `url` serves; `folder` is the client's own."""

    service: Service
    job: Job
    world: World
    url: str
    folder: Path

    @property
    def containers(self) -> Sequence[str]:
        """Name them all."""
        kind = "vault" if self.service == "glacier" else "bucket"
        return [f"{kind}-{number:04}" for number in range(self.world.containers)]

    @property
    def asked(self) -> str:
        """Give the one container, or "" where all are to be discovered."""
        return self.containers[0] if self.world.containers == 1 else ""


@dataclass(frozen=True, slots=True)
class Program:
    """A command and what it needs in its environment."""

    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)


def environment(more: Mapping[str, str], home: Path) -> dict[str, str]:
    """Give a client's environment: nothing of ours but the path to programs."""
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])
    usual = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "TMPDIR": str(home)}
    return usual | KEYS | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""} | dict(more)


def rclone(task: Task) -> Program:
    """`rclone cleanup` aborts what is older than a day, and lists all to find it."""
    config = task.folder / "rclone.conf"
    port = task.url.rpartition(":")[2]
    keys = "access_key_id = a\nsecret_access_key = b\n"
    config.write_text(
        f"[s3]\ntype = s3\nprovider = Other\n{keys}endpoint = {task.url}\n"
        "region = us-east-1\nforce_path_style = true\n"
        f"[qingstor]\ntype = qingstor\n{keys}endpoint = http://stub.test:{port}\nzone = pek3a\n",
        encoding="utf-8",
    )
    if task.service == "glacier":
        msg = "rclone knows no vaults"
        raise Absent(msg)
    # It takes no address for QingStor: the stub is its proxy.
    proxy = {"http_proxy": task.url} if task.service == "qingstor" else {}
    where = f"{task.service}:{task.asked}"
    return Program([_found("rclone"), "--config", str(config), "cleanup", where], proxy)


def aws(task: Task) -> Program:
    """Run the AWS CLI once for each listing, and once for each abort, eight at a time."""
    call = f"{_found('aws')} s3api --endpoint-url {task.url}"
    query = "--output text --query 'Uploads[].[Key,UploadId]'"
    listing = f"{call} list-multipart-uploads --bucket $bucket {query}"
    abort = f"{call} abort-multipart-upload --bucket $bucket --key $0 --upload-id $1"
    # What is in the shell's own quotes is expanded by the inner shell.
    then = f' | xargs -P 8 -n 2 sh -c "{_escaped(abort)}"' if task.job == "clean" else ""
    return Program(["sh", "-c", _for_each_bucket(task, listing + then)])


def s3cmd(task: Task) -> Program:
    """Run s3cmd once for each listing, and once for each abort, two at a time."""
    if task.world.uploads > PAGE:
        # It says KeyMarker where servers know key-marker only.
        msg = "it asks for the first page again and again"
        raise Absent(msg)
    config, address = task.folder / "s3cfg", task.url.removeprefix("http://")
    config.write_text(
        f"[default]\naccess_key = a\nsecret_key = b\nhost_base = {address}\n"
        f"host_bucket = {address}\nuse_https = False\n",
        encoding="utf-8",
    )
    call = f"{_found('s3cmd')} -c {config}"
    listing = f"{call} multipart s3://$bucket"
    only_names = "awk -F'\\t' '/^[0-9]/ {print $2, $3}'"
    then = f" | {only_names} | xargs -P 2 -n 2 {call} -q abortmp" if task.job == "clean" else ""
    return Program(["sh", "-c", _for_each_bucket(task, listing + then)])


def naive(task: Task) -> Program:
    """Loop over the SDK's pages and abort one by one."""
    containers = task.asked or ("*" if task.service == "s3" else ",".join(task.containers))
    return Program([sys.executable, str(NAIVE), task.service, task.url, containers, task.job])


def threads(task: Task) -> Program:
    """Do the same in many threads: one for each listing, and a pool for aborts."""
    return Program([*naive(task).command, str(THREADS)])


PEERS: Mapping[str, Callable[[Task], Program]] = {
    "rclone": rclone,
    "AWS CLI": aws,
    "s3cmd": s3cmd,
    "SDK loop": naive,
    f"SDK, {THREADS} threads": threads,
}


def _for_each_bucket(task: Task, command: str) -> str:
    if task.service != "s3":
        msg = "it knows S3 only, or no way to abort here"
        raise Absent(msg)
    return f"for bucket in {' '.join(task.containers)}; do {command}; done"


def _escaped(text: str) -> str:
    """Keep $0 and $1 for the inner shell; $bucket is the outer's."""
    return text.replace("$0", '\\"\\$0\\"').replace("$1", '\\"\\$1\\"')


def _found(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name)
    if path is None:
        msg = f"there is no {name} here"
        raise Absent(msg)
    return path
