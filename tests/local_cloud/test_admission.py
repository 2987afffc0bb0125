from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from durability._local import EmulatorRaces, LocalCloud, check_conditional_writes

# moto's own server as it is, but for a pause between the check of a condition and the write: threads may be switched
# there anyway, and so they are every time.
UNLOCKED = """
import sys, threading, time
from moto.dynamodb.models import table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

compile_condition = table.get_filter_expression

class Slow:
    def __init__(self, condition):
        self.condition = condition

    def expr(self, item):
        holds = self.condition.expr(item)
        time.sleep(0.05)
        return holds

table.get_filter_expression = lambda *arguments: Slow(compile_condition(*arguments))
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def unlocked_moto() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", UNLOCKED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()


def test_an_emulator_whose_conditional_writes_race_is_refused(unlocked_moto: str) -> None:
    with pytest.raises(
        EmulatorRaces, match="of 4 concurrent PutItem requests won a condition that exactly one can win"
    ):
        check_conditional_writes(unlocked_moto)


def test_the_local_cloud_is_admitted(cloud: LocalCloud) -> None:
    check_conditional_writes(cloud.endpoint_url)
    assert cloud.client("dynamodb").list_tables()["TableNames"] == [cloud.outputs["TableName"]]
