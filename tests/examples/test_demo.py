"""``make demo`` itself, with the environment of a machine that knows nothing of AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_the_demo_holds_what_it_claims(tmp_path: Path) -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "examples.orders.demo"],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.defpath, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "asleep, it causes no invocation and no request" in demo.stdout
    assert demo.stderr == ""
    assert list(tmp_path.iterdir()) == []
