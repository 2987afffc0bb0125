"""The soak's target on ministack: the template as it is deployed, by another emulator's CloudFormation.

https://github.com/ministackorg/ministack; it runs in an environment of its own, as it pins another botocore.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import boto3
import httpx

from .proxy import Proxy
from .target import PARAMETERS, ROOT, Victim

VERSION = "1.5.33"
SAM = "aws-sam-translator"
STACK = "soak"
BUCKET, BUNDLE, TEMPLATE = "soak-code", "bundle.zip", "template.yaml"
# The functions run in ministack's own interpreter, and on this machine.
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(os.uname().machine, "x86_64")
CONCURRENCY = 4
_STARTS_WITHIN = 60.0
_RECENTLY = 0.1


def adapt(template: str, variables: Mapping[str, str]) -> str:
    """The template as ministack can deploy it.

    - It has no ``sam package``: the code is in the bucket that it was put into.
    - It gives parameters of type Number to resources as text, and its event source mappings compare that to a number.
    - Functions take their variables, and the address of the proxy, from the template alone.
    - It unpacks the code anew for each process, in its server's interpreter: at 100 MB nothing else got a turn. So the
      archive has the handlers alone, and the rest of the bundle is where the variables say, as with a layer.

    Args:
        template: text of ``template.yaml``.
        variables: environment variables to add to all functions.

    Raises:
        ValueError: the template does not say what is to be replaced.
    """
    added = "".join(f'        {name}: "{value}"\n' for name, value in variables.items())
    for old, new in (
        ("    CodeUri: .\n", f"    CodeUri: s3://{BUCKET}/{BUNDLE}\n"),
        ("MaximumConcurrency: !Ref MaximumConcurrency", f"MaximumConcurrency: {CONCURRENCY}"),
        ("      Variables:\n", f"      Variables:\n{added}"),
    ):
        if old not in template:
            raise ValueError(f"the template has no {old.strip()!r} any more: adapt what the soak replaces")
        template = template.replace(old, new)
    return template


class MinistackTarget:
    """A stack on ministack.

    Args:
        url: of ministack.
        proxy: in front of it, which knows who is at work.
        server: its process.
    """

    name: str = "ministack"

    def __init__(self, url: str, proxy: Proxy, server: int) -> None:
        self._url = url
        self._proxy = proxy
        self._server = server
        (stack,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        api = outputs["HttpUrl"].removeprefix("https://").partition(".")[0]
        self.http_url = proxy.before(url, host=f"{api}.execute-api.localhost:{url.rpartition(':')[2]}")
        self.table = outputs["TableName"]
        self.dead_letter_queues: Mapping[str, str] = {
            "workflow": outputs["WorkflowDeadLetterQueueUrl"],
            "activity": outputs["ActivityDeadLetterQueueUrl"],
        }

    def client(self, service: str) -> Any:
        """See ``Target.client``."""
        return _client(self._url, service)

    def victims(self) -> list[Victim]:
        """See ``Target.victims``: processes that have just asked for something."""
        callers = self._proxy.callers(_RECENTLY)
        workers = _workers(self._server)
        found = []
        for port, body in callers.items():
            pid = workers.get(_inode(port))
            name = pid and _variable(pid, "AWS_LAMBDA_FUNCTION_NAME")
            if pid and name:
                found.append(Victim(name, pid, body, lambda pid=pid: os.path.exists(f"/proc/{pid}")))  # type: ignore[misc]
        return found

    def redeploy(self) -> None:
        """See ``Target.redeploy``."""
        functions = self.client("lambda")
        for name in ("workflow", "activity", "http", "reconciler"):
            functions.update_function_code(FunctionName=f"{STACK}-{name}", S3Bucket=BUCKET, S3Key=BUNDLE)

    def invocations(self) -> int:
        """See ``Target.invocations``: ministack does not count them."""
        return 0


@contextmanager
def ministack(proxy: Proxy, variables: Mapping[str, str], output: Path) -> Iterator[MinistackTarget]:
    """The template on a ministack of its own.

    Args:
        proxy: to stand between functions and AWS.
        variables: environment variables of the functions.
        output: folder for its log, and for its data while it runs.
    """
    with (
        tempfile.TemporaryDirectory(dir=output) as scratch,
        (output / "ministack.log").open("wb") as log,
        # Each function process has the bundle unpacked for itself.
        emulator(log, f"--with={SAM}", S3_DATA_DIR=f"{scratch}/s3", TMPDIR=scratch) as (url, server),
    ):
        bundle = _build()
        _deploy(url, {**variables, "AWS_ENDPOINT_URL": proxy.before(url), "PYTHONPATH": str(bundle)}, bundle, output)
        yield MinistackTarget(url, proxy, server)


@contextmanager
def emulator(
    log: IO[bytes], *options: str, starts_within: float = _STARTS_WITHIN, **variables: str
) -> Iterator[tuple[str, int]]:
    """A ministack that ends with all its processes; its URL and process group.

    Args:
        log: for what it prints.
        options: of ``uv tool run``.
        starts_within: seconds.
        variables: environment variables of it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [ROOT / ".uv/bin/uv", "tool", "run", "--quiet", f"--from=ministack=={VERSION}", *options, "ministack"],
        env={
            **os.environ,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            **variables,
        },
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_for(url, server, starts_within)
        yield url, server.pid
    finally:
        _end(server)


def _wait_for(url: str, server: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(httpx.HTTPError):
            httpx.get(f"{url}/_ministack/health", trust_env=False)
            return
        time.sleep(0.2)
    raise RuntimeError("ministack did not start: its log says why")


def _build() -> Path:
    settings = f"RUNTIME={RUNTIME}", f"ARCHITECTURE={ARCHITECTURE}"
    subprocess.run(
        ["make", "--silent", "bundle", *settings, "APPLICATION_PACKAGES=examples tests"],
        cwd=ROOT,
        check=True,
    )
    return ROOT / "build" / f"bundle-{RUNTIME}-{ARCHITECTURE}"


def _deploy(url: str, variables: Mapping[str, str], bundle: Path, output: Path) -> None:
    with zipfile.ZipFile(output / BUNDLE, "w") as archive:
        for path in sorted((bundle / "functions").rglob("*.py")):
            archive.write(path, path.relative_to(bundle))
    s3 = _client(url, "s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(output / BUNDLE), BUCKET, BUNDLE)
    s3.put_object(Bucket=BUCKET, Key=TEMPLATE, Body=adapt((ROOT / "template.yaml").read_text(), variables).encode())
    cloudformation = _client(url, "cloudformation")
    parameters = {**PARAMETERS, "Runtime": RUNTIME, "Architecture": ARCHITECTURE}
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{url}/{BUCKET}/{TEMPLATE}",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


def _client(url: str, service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def _end(server: subprocess.Popen[bytes]) -> None:
    """End it with all its processes, stopped ones included."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _workers(group: int) -> dict[str, int]:
    """The processes of a process group, by the sockets that they have."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            if os.getpgid(int(folder.name)) == group:
                for descriptor in (folder / "fd").iterdir():
                    found[os.readlink(descriptor)] = int(folder.name)
    return found


def _inode(port: int) -> str:
    """The socket on this machine that a connection's local port belongs to, as ``/proc/*/fd`` names it."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if int(columns[1].rpartition(":")[2], 16) == port:
            return f"socket:[{columns[9]}]"
    return ""


def _variable(pid: int, name: str) -> str:
    """An environment variable that a process was started with."""
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            key, _, value = entry.partition(b"=")
            if key.decode() == name:
                return value.decode()
    return ""
