"""Runs an order on the local cloud, with a crash, a forged webhook and a replayed one: ``make demo``.

Everything is real but the account: the functions of ``template.yaml`` run in processes of their own under AWS's Lambda
runtime client, and the demo talks to them over HTTP as any caller would. The exit code is 0 if every check held.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from durability._core.history import Delta
from durability._core.timeline import render_timeline
from durability._local import LocalCloud
from durability._local.environment import Environment
from examples.orders.console import Console
from examples.orders.services import running, sign

ROOT = Path(__file__).parents[2]
ORDER: dict[str, Any] = json.loads(Path(__file__).with_name("order.json").read_text())
TOTAL = sum(line["quantity"] * line["unit_price"] for line in ORDER["lines"])
WORKFLOW_ID = f"order-{ORDER['id']}"
PARAMETERS = {
    "Application": "examples.orders.app:app",
    "HttpAuthorization": "NONE",
    "WorkflowTimeout": "30",
    # One invocation a minute for the whole stack, however many workflows there are; here it would blur the counts.
    "ReconcilerRate": "rate(1 hour)",
}
SECRET = "whsec_" + base64.b64encode(os.urandom(24)).decode()
SLEEP_SECONDS = 5

T = TypeVar("T")


class Demo:
    """The story, told part by part.

    Args:
        console: where it is told.
        cloud: the local cloud with the stack.
        api: client of the stack's HTTP API.
        shop: client of the services that the activities call.
    """

    def __init__(self, console: Console, cloud: LocalCloud, api: httpx.Client, shop: httpx.Client) -> None:
        self.console = console
        self.cloud = cloud
        self.api = api
        self.shop = shop

    def tell(self) -> None:
        """All of it."""
        self.place_the_order()
        self.kill_the_function()
        self.see_it_charged_once()
        self.sleep()
        self.wake_by_webhook()
        self.see_the_result()
        self.show_the_history()

    def place_the_order(self) -> None:
        self.console.heading("An order is placed; the payment service is told to be slow")
        self.console.request(self.shop, "POST", "/webhook", {"url": f"{self.cloud.http_url}/webhooks/warehouse"})
        self.console.request(self.shop, "POST", "/faults", {"kind": "charges", "slow": 1, "seconds": 10})
        response = self.console.request(
            self.api,
            "POST",
            "/workflows",
            {"workflow_type": "OrderWorkflow", "workflow_id": WORKFLOW_ID, "args": [ORDER]},
        )
        self.console.check("the order was accepted", response.is_success)

    def kill_the_function(self) -> None:
        self.console.heading("kill -9 in the middle of the charge")
        self.until(self.charge_in_flight)
        self.console.say("The payment service has taken the money and has not answered yet.")
        self.console.say(f"Meanwhile the workflow answers queries: {self.status()}")
        busy = self.busy()
        for process in busy:
            os.kill(process.pid, signal.SIGKILL)
            self.console.say(f"$ kill -9 {process.pid}    # {process.launch.spec.name}, request {process.request_id}")
        self.console.check("the one process that was at work, charging, was killed", len(busy) == 1)

    def see_it_charged_once(self) -> None:
        self.console.heading("When the attempt's time is over (6 s) it counts as lost; another process makes the next")
        self.console.say("SQS brings the crashed invocation's message back: here after 1 s, on AWS after the queue's")
        self.console.say("visibility timeout.")
        self.until(self.picking_requested)
        entries = [entry for entry in self.ledger()["entries"] if entry["kind"] == "charges"]
        self.console.say(json.dumps(entries))
        self.console.check("the charge was requested twice", [entry["requests"] for entry in entries] == [2])
        self.console.check(f"and made once: the ledger says {TOTAL / 100:.2f}", self.ledger()["balance"] == TOTAL)

    def sleep(self) -> None:
        self.console.heading("The workflow sleeps until the warehouse reports, for up to three days")
        self.cloud.wait_until_idle()
        before = self.work()
        self.console.say(f"{before[0]} invocations, {before[1]} AWS requests so far")
        time.sleep(SLEEP_SECONDS)
        after = self.work()
        self.console.say(f"{after[0]} invocations, {after[1]} AWS requests {SLEEP_SECONDS} s later")
        self.console.say(f"(The reconciler, once for the whole stack, is set to {PARAMETERS['ReconcilerRate']}.)")
        self.console.check("asleep, it causes no invocation and no request", before == after)

    def wake_by_webhook(self) -> None:
        self.console.heading("Webhooks: a forged one, the warehouse's, and the warehouse's once more")
        body = json.dumps({"reference": WORKFLOW_ID, "status": "picked", "parcels": 99}).encode()
        headers = sign("whsec_" + base64.b64encode(b"guessed").decode(), "msg_forged", int(time.time()), body)
        self.console.say(f"$ curl --json '{body.decode()}' -H 'webhook-signature: {headers['webhook-signature']}' \\")
        self.console.say(f"    '{self.cloud.http_url}/webhooks/warehouse'")
        forged = self.api.post("/webhooks/warehouse", content=body, headers=headers)
        self.console.say(f"{forged.status_code} {forged.text}")
        self.console.check("the forged webhook is refused with 401", forged.status_code == 401)
        picking = next(entry for entry in self.ledger()["entries"] if entry["kind"] == "pickings")
        report = f"/pickings/{picking['id']}/report"
        sent = self.console.request(self.shop, "POST", report, {"status": "picked", "parcels": 2})
        self.console.check("the signed one is accepted", sent.json()["status"] == 200)
        again = self.console.request(self.shop, "POST", f"/pickings/{picking['id']}/redeliver")
        self.console.check("so is its repetition", again.json()["status"] == 200)

    def see_the_result(self) -> None:
        self.console.heading("Packing takes 2 s more, then the parcels are shipped")
        result = self.console.request(self.api, "GET", f"/workflows/{WORKFLOW_ID}/result?wait=20").json()
        receipt = result.get("result") or {}
        self.console.check("the order was fulfilled", receipt.get("amount") == TOTAL)
        self.console.check("the webhook that came twice was counted once", self.status()["reports"] == 1)
        ledger = self.ledger()
        shipments = [entry for entry in ledger["entries"] if entry["kind"] == "shipments"]
        self.console.check(
            "one shipment, of the two parcels that the real webhook reported",
            [(entry["id"], entry["request"]["parcels"]) for entry in shipments] == [(receipt.get("tracking"), 2)],
        )
        self.console.check(f"one charge of {TOTAL / 100:.2f} in the end", ledger["balance"] == TOTAL)

    def show_the_history(self) -> None:
        self.console.heading("Its history")
        answer = self.api.get(f"/workflows/{WORKFLOW_ID}/history?view=deltas").raise_for_status().json()
        deltas = msgspec.convert(answer["deltas"], list[Delta])
        self.console.say(render_timeline(deltas, workflow_id=WORKFLOW_ID))

    def until(self, condition: Callable[[], T]) -> T:
        """Poll until a condition gives something true.

        Raises:
            TimeoutError: it has not within 30 s.
        """
        deadline = time.monotonic() + 30
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for: {condition.__name__}")
            time.sleep(0.1)
        return value

    def ledger(self) -> dict[str, Any]:
        books: dict[str, Any] = self.shop.get("/ledger").json()
        return books

    def charge_in_flight(self) -> bool:
        return "charges" in self.ledger()["in_flight"]

    def picking_requested(self) -> bool:
        return any(entry["kind"] == "pickings" for entry in self.ledger()["entries"])

    def busy(self) -> list[Environment]:
        """Function processes that run an invocation now."""
        processes = [process for function in self.cloud.functions.values() for process in function.processes]
        return [process for process in processes if process.request_id is not None]

    def work(self) -> tuple[int, int]:
        """Invocations, and requests to AWS by anybody, since the start."""
        return sum(each.invocations for each in self.cloud.functions.values()), self.cloud.requests.total()

    def status(self) -> dict[str, Any]:
        answer = self.api.post(f"/workflows/{WORKFLOW_ID}/queries/status", json={})
        status: dict[str, Any] = answer.raise_for_status().json()["result"]
        return status


def main() -> int:
    """Run the demo; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    console = Console()
    console.heading("The stack of template.yaml starts on this machine, beside the services that the order needs")
    with running(SECRET) as shop_url:
        variables = {"SHOP_URL": shop_url, "WAREHOUSE_WEBHOOK_SECRET": SECRET}
        with (
            LocalCloud(ROOT / "template.yaml", parameters=PARAMETERS, variables=variables) as cloud,
            httpx.Client(base_url=cloud.http_url, timeout=30, trust_env=False) as api,
            httpx.Client(base_url=shop_url, timeout=30, trust_env=False) as shop,
        ):
            console.say(f"HTTP API {cloud.http_url}, services {shop_url}, functions {', '.join(cloud.functions)}")
            Demo(console, cloud, api, shop).tell()
    return 0 if console.summarise() else 1


if __name__ == "__main__":
    sys.exit(main())
