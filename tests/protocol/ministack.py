"""Runs the tests of the store on ministack, an emulator that is not moto: ``make contract``.

ministack pins another botocore, so it has an environment of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Final

from tests.soak.ministack import VERSION
from tests.soak.target import ROOT

TESTS: Final = ("tests/protocol/test_store_contract.py", "tests/protocol/test_dynamodb_rules.py")
STARTS_WITHIN: Final = 300
"""Seconds: the first time, it is downloaded."""


def main() -> int:
    """Start it, run the tests against it, stop it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    services = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "dynamodb,s3"}
    quiet = {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
    command = [ROOT / ".uv/bin/uv", "tool", "run", "--quiet", "--from", f"ministack=={VERSION}", "ministack"]
    with tempfile.TemporaryFile() as log:
        ministack = subprocess.Popen(
            command, env={**os.environ, **services, **quiet}, stdout=log, stderr=log, process_group=0
        )
        try:
            _wait(endpoint, ministack)
            tests = [sys.executable, "-m", "pytest", "-q", "-n", "0", *TESTS]
            return subprocess.run(tests, env={**os.environ, "STORE_ENDPOINT": endpoint}, check=False).returncode
        finally:
            os.killpg(ministack.pid, 15)
            ministack.wait()


def _wait(endpoint: str, ministack: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and ministack.poll() is None:
        try:
            urllib.request.urlopen(endpoint + "/_ministack/health", timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("ministack has not started")


if __name__ == "__main__":
    sys.exit(main())
