"""Pydantic models as arguments and results: validated where they arrive, with datetimes, decimals and constraints."""

from datetime import date, timedelta
from decimal import Decimal

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, Field

    from durability.contrib.pydantic import pydantic_data_converter


class Lending(BaseModel):
    title: str
    lent_on: date
    days: int = Field(gt=0, le=56)


class Terms(BaseModel):
    due_on: date
    fee: Decimal


@activity.defn
async def terms_for(lending: Lending) -> Terms:
    weeks = Decimal(lending.days) / 7
    return Terms(
        due_on=lending.lent_on + timedelta(days=lending.days), fee=(weeks * Decimal("0.35")).quantize(Decimal("0.01"))
    )


@workflow.defn
class LendOut:
    @workflow.run
    async def run(self, lending: Lending) -> Terms:
        return await workflow.execute_activity(terms_for, lending, start_to_close_timeout=timedelta(seconds=10))


async def main(client: Client) -> None:
    lending = Lending(title="Flatland", lent_on=date(2024, 2, 1), days=28)
    terms = await client.execute_workflow(LendOut.run, lending, id="pydantic-models", task_queue=TASK_QUEUE)
    print("due on", terms.due_on, "for", terms.fee)


example = Example(main, workflows=[LendOut], activities=[terms_for], data_converter=pydantic_data_converter)

if __name__ == "__main__":
    example.run()
