from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from durability._local import LocalCloud

from .conftest import TEMPLATE, until

ROOT = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def group_members(group: int) -> list[int]:
    members = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                fields = (directory / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                members.append(int(directory.name))
    return members


def test_nothing_is_left_after_stop() -> None:
    cloud = LocalCloud(TEMPLATE)
    with cloud:
        group = os.getpgid(cloud.invoke("WorkerFunction", {})["pid"])
        assert len(group_members(group)) == 2
        logs = cloud.log_directory
    assert group_members(group) == []
    assert not logs.exists()
    cloud.stop()
    with pytest.raises(RuntimeError, match="does not run"):
        cloud.invoke("WorkerFunction", {})


def test_nothing_is_left_after_the_parent_is_killed() -> None:
    code = (
        "import sys, time\n"
        "from durability._local import LocalCloud\n"
        f"cloud = LocalCloud({str(TEMPLATE)!r}).start()\n"
        "print(cloud.invoke('WorkerFunction', {})['pid'], flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    group = os.getpgid(pid)
    assert len(group_members(group)) == 2
    parent.kill()
    parent.wait()
    until(lambda: group_members(group) == [])
    parent.stdout.close()


def test_two_clouds_do_not_see_each_other() -> None:
    with LocalCloud(TEMPLATE) as one, LocalCloud(TEMPLATE) as other:
        one.client("dynamodb").put_item(TableName=one.outputs["TableName"], Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
        assert one.client("dynamodb").scan(TableName=one.outputs["TableName"])["Count"] == 1
        assert other.client("dynamodb").scan(TableName=other.outputs["TableName"])["Count"] == 0


def test_the_dev_command_runs_a_template_until_it_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def handler(event, context):\n    print('said')\n    return 'one'\n")
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  Function:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties:\n"
        "      Handler: module.handler\n"
        "      Runtime: python3.11\n"
        "      CodeUri: .\n"
        "      Events:\n"
        "        Any: {Type: HttpApi}\n"
        "Outputs:\n"
        "  Url: {Value: !Sub 'https://${ServerlessHttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}'}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "durability", "dev", "--port", "0", "--template", str(tmp_path / "template.yaml")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        url = next(line for line in lines if " Url " in line).split()[1]

        def get() -> str:
            with urllib.request.urlopen(url) as response:
                return str(response.read().decode())

        assert get() == "one"
        assert any(line == "Function | said\n" for line in lines)
        (tmp_path / "module.py").write_text("def handler(event, context):\n    return 'another'\n")
        assert any("reload: module.py" in line for line in lines)
        assert until(lambda: get() == "another")
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_dev_command_says_what_is_wrong(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "durability", "dev", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    missing = run("--template", str(tmp_path / "nothing.yaml"))
    assert missing.returncode == 1
    assert "cannot be read" in missing.stderr
    assert "Traceback" not in missing.stderr
    wrong = run("--template", str(TEMPLATE), "--parameter", "Nothing=1")
    assert wrong.returncode == 1
    assert "Nothing not declared" in wrong.stderr
