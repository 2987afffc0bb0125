from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from durability._local import LocalCloud
from durability._local.schedule_expressions import parse_at, parse_rate

from .conftest import marks, until


def create(cloud: LocalCloud, name: str, at: datetime | str, mark: Path, **more: Any) -> dict[str, Any]:
    expression = at if isinstance(at, str) else f"at({at:%Y-%m-%dT%H:%M:%S})"
    arguments: dict[str, Any] = {
        "Name": name,
        "GroupName": cloud.resources["ScheduleGroup"].ref,
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": cloud.resources["Queue"].attributes["Arn"],
            "RoleArn": cloud.resources["ScheduleRole"].attributes["Arn"],
            "Input": json.dumps({"mark": str(mark)}),
        },
    }
    answer: dict[str, Any] = cloud.client("scheduler").create_schedule(**{**arguments, **more})
    return answer


def exists(cloud: LocalCloud, name: str) -> bool:
    client = cloud.client("scheduler")
    try:
        client.get_schedule(GroupName=cloud.resources["ScheduleGroup"].ref, Name=name)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def far() -> datetime:
    return datetime.now(UTC) + timedelta(days=30)


def test_a_one_time_schedule_fires_at_its_time_and_is_deleted(cloud: LocalCloud, mark: Path) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    create(cloud, "soon", at, mark)
    until(lambda: marks(mark))
    assert datetime.now(UTC) >= at
    until(lambda: not exists(cloud, "soon"))
    assert all(schedule.name != "soon" for schedule in cloud.schedules)


def test_a_schedule_fires_on_request(cloud: LocalCloud, mark: Path) -> None:
    create(cloud, "later", far(), mark)
    cloud.fire_schedule("later")
    until(lambda: marks(mark))
    assert not exists(cloud, "later")
    with pytest.raises(KeyError):
        cloud.fire_schedule("later")


def test_a_schedule_that_is_not_to_be_deleted_stays(cloud: LocalCloud, mark: Path) -> None:
    create(cloud, "kept", far(), mark, ActionAfterCompletion="NONE")
    cloud.fire_schedule("kept")
    until(lambda: marks(mark))
    assert exists(cloud, "kept")


def test_a_deleted_schedule_does_not_fire(cloud: LocalCloud, mark: Path) -> None:
    create(cloud, "deleted", far(), mark)
    assert any(schedule.name == "deleted" for schedule in cloud.schedules)
    cloud.client("scheduler").delete_schedule(GroupName=cloud.resources["ScheduleGroup"].ref, Name="deleted")
    assert all(schedule.name != "deleted" for schedule in cloud.schedules)


def test_a_schedule_can_be_moved(cloud: LocalCloud, mark: Path) -> None:
    create(cloud, "moved", far(), mark)
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    arguments = cloud.client("scheduler").get_schedule(GroupName=cloud.resources["ScheduleGroup"].ref, Name="moved")
    cloud.client("scheduler").update_schedule(
        Name="moved",
        GroupName=arguments["GroupName"],
        ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=arguments["Target"],
    )
    until(lambda: marks(mark))


def test_a_repeated_client_token_is_the_same_creation(cloud: LocalCloud, mark: Path) -> None:
    at = far()
    first = create(cloud, "once", at, mark, ClientToken="one")
    assert create(cloud, "once", at, mark, ClientToken="one")["ScheduleArn"] == first["ScheduleArn"]
    with pytest.raises(ClientError, match="ConflictException"):
        create(cloud, "once", at + timedelta(days=1), mark, ClientToken="one")
    with pytest.raises(ClientError, match="ConflictException"):
        create(cloud, "once", at, mark, ClientToken="two")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"at": "at(2020-01-01T00:00:00)"}, "ValidationException"),
        ({"at": "at(2099-13-01T00:00:00)"}, "ValidationException"),
        ({"at": "at(2099-01-01 00:00:00)"}, "ValidationException"),
        ({"at": "at(2099-01-01T00:00:00Z)"}, "ValidationException"),
        ({"at": "rate(1 minutes)"}, "ValidationException"),
        ({"at": "cron(0 12 * * ? *)"}, "ValidationException"),
        ({"at": "tomorrow"}, "ValidationException"),
        ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "ValidationException"),
        ({"GroupName": "no-such-group"}, "ResourceNotFoundException"),
    ],
)
def test_what_the_service_would_refuse_is_refused(
    cloud: LocalCloud, mark: Path, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as raised:
        create(cloud, "refused", **{"at": far(), "mark": mark, **changes})
    assert raised.value.response["Error"]["Code"] == code


def test_a_rate_of_the_template_invokes_its_function_with_a_scheduled_event(cloud: LocalCloud) -> None:
    cloud.fire_schedule("TickFunction")
    cloud.wait_until_idle()
    items = cloud.client("dynamodb").scan(TableName=cloud.outputs["TableName"])["Items"]
    (event,) = [json.loads(item["event"]["S"]) for item in items if item["pk"]["S"] == "tick"]
    assert event["detail-type"] == "Scheduled Event"
    assert event["source"] == "aws.events"
    assert event["detail"] == {}
    assert event["resources"] == [cloud.resources["TickFunctionTick"].attributes["Arn"]]


def test_expressions() -> None:
    assert parse_at("at(2030-01-01T12:00:00)", None) == datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert parse_at("at(2030-01-01T12:00:00)", "Europe/Berlin") == datetime(2030, 1, 1, 11, tzinfo=UTC)
    assert parse_at("rate(1 minute)", None) is None
    assert parse_rate("rate(5 minutes)") == timedelta(minutes=5)
    assert parse_rate("at(2030-01-01T12:00:00)") is None
    for wrong in ("rate(0 minutes)", "rate(1 hours)", "rate(2 hour)"):
        with pytest.raises(ValueError, match="unit is singular"):
            parse_rate(wrong)
