"""The command: ``make soak MINUTES=60``."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from examples.orders.services import Books, running

from .faults import FaultPlan
from .local import local_cloud
from .ministack import ministack
from .proxy import Proxy
from .session import Pace, Session
from .target import PARAMETERS, Target, bound
from .watch import Watch

SECRET = "whsec_" + base64.b64encode(os.urandom(24)).decode()
TARGETS: dict[str, Callable[[Proxy, Mapping[str, str], Path], AbstractContextManager[Target]]] = {
    "local": local_cloud,
    "ministack": ministack,
}


def main(words: list[str] | None = None) -> int:
    """Run the soak; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--target", choices=list(TARGETS), default="local")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--start-every", type=float, default=4.0, help="seconds between two starts, on average")
    parser.add_argument("--disturb-every", type=float, default=8.0, help="seconds between two process faults")
    parser.add_argument("--most", type=int, default=25, help="workflows that are open at once")
    parser.add_argument("--output", type=Path, default=Path("build/soak"), help="folder for summary, histories, logs")
    options = vars(parser.parse_args(words))
    deployed, output = TARGETS[options.pop("target")], options.pop("output")
    output.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    pace = Pace(**options)
    plan = FaultPlan(pace.seed)
    watch = Watch(bound())
    books = Books(stock={"kettle": 10**9, "teapot": 10**9, "cup": 10**9})
    with Proxy(plan, watch.befell) as proxy, running(SECRET, books) as shop_url:
        variables = {"SHOP_URL": shop_url, "WAREHOUSE_WEBHOOK_SECRET": SECRET}
        with deployed(proxy, variables, output) as target:
            print(f"soak on {target.name}: {PARAMETERS}, seed {pace.seed}, bound {bound():.0f} s", flush=True)
            session = Session(target, shop_url, books, plan, watch, pace)
            _end_on_signal(session)
            report = asyncio.run(session.run())
    report.requests = proxy.requests
    print(report.text(), flush=True)
    (output / "summary.json").write_text(json.dumps(report.json(), indent=1))
    return 0 if report.ok else 1


def _end_on_signal(session: Session) -> None:
    """The first signal ends the soak early, with its report; the second one at once."""

    def end(number: int, frame: object) -> None:
        if session.interrupted:
            sys.exit(1)
        session.interrupted = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


if __name__ == "__main__":
    sys.exit(main())
