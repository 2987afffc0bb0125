"""Runs the tests of the store on ministack, an emulator that is not moto: ``make contract``.

ministack pins another botocore, so it has an environment of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Final

from tests.soak.ministack import emulator

TESTS: Final = ("tests/protocol/test_store_contract.py", "tests/protocol/test_dynamodb_rules.py")
STARTS_WITHIN: Final = 300
"""Seconds: the first time, it is downloaded."""


def main() -> int:
    """Start it, run the tests against it, stop it."""
    with (
        tempfile.TemporaryFile() as log,
        emulator(log, starts_within=STARTS_WITHIN, SERVICES="dynamodb,s3") as (endpoint, _),
    ):
        tests = [sys.executable, "-m", "pytest", "-q", "-n", "0", *TESTS]
        return subprocess.run(tests, env={**os.environ, "STORE_ENDPOINT": endpoint}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
