from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from durability._local import EmulatorRefused, LocalCloud, check_emulator

# moto's own server, with a fault: a pause between the check of a condition and the write (threads may be switched there
# anyway, and so they are every time); a failed condition that keeps the item to itself; a cancelled transaction that
# stays half done.
FAULTY = """
import copy, json, sys, threading, time
from moto.dynamodb import models
from moto.dynamodb.models import table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

fault = sys.argv[1]
CHECKED = ("content-length", "x-amz-crc32")
lock = threading.Lock()
application = DomainDispatcherApplication(create_backend_app)
compile_condition = table.get_filter_expression

class Slow:
    def __init__(self, condition):
        self.condition = condition

    def expr(self, item):
        holds = self.condition.expr(item)
        time.sleep(0.05)
        return holds

def serve(environ, start_response):
    with lock:
        content = b"".join(application(environ, lambda status, headers, exc_info=None: start_response(
            status, [(name, value) for name, value in headers if name.lower() not in CHECKED], exc_info)))
    if fault == "hides" and b"ConditionalCheckFailed" in content:
        content = json.dumps({**json.loads(content), "Item": None}).encode()
    return [content]

if fault == "races":
    table.get_filter_expression = lambda *arguments: Slow(compile_condition(*arguments))
if fault == "halves":
    models.copy.deepcopy = lambda value: value
server = make_server("127.0.0.1", 0, application if fault == "races" else serve, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, flush=True)
sys.stdin.read()
"""

FAULTS = {
    "races": "of 4 concurrent PutItem requests won a condition that exactly one can win",
    "hides": "a failed condition of PutItem does not bring the item",
    "halves": "a cancelled transaction has left one of its writes",
}


@pytest.fixture(params=FAULTS)
def faulty(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The endpoint of an emulator with a fault, and what is said of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", FAULTY, request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}", FAULTS[request.param]
    finally:
        process.kill()
        process.communicate()


def test_an_emulator_with_a_fault_is_refused(faulty: tuple[str, str]) -> None:
    endpoint, told = faulty
    with pytest.raises(EmulatorRefused, match=told):
        check_emulator(endpoint)


def test_the_local_cloud_is_admitted(cloud: LocalCloud) -> None:
    check_emulator(cloud.endpoint_url)
    assert cloud.client("dynamodb").list_tables()["TableNames"] == [cloud.outputs["TableName"]]
