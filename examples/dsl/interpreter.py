"""A workflow that runs programs: an interpreter is ordinary workflow code, so every step of a program is durable."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from durability import activity, workflow
from durability.client import Client
from durability.converter import value_to_type
from durability.exceptions import ApplicationError
from examples.running import TASK_QUEUE, Example

with workflow.unsafe.imports_passed_through():
    from examples.dsl.program import Call, Program, Statement


@workflow.defn
class RunProgram:
    @workflow.init
    def __init__(self, program: Program) -> None:
        self._variables = dict(program.variables)

    @workflow.run
    async def run(self, program: Program) -> dict[str, str]:
        """Give all variables, as they are in the end."""
        await self._execute(program.root)
        return self._variables

    async def _execute(self, statement: Statement) -> None:
        if statement.call is not None:
            await self._call(statement.call)
        elif statement.sequence is not None:
            for part in statement.sequence:
                await self._execute(part)
        elif statement.parallel is not None:
            await asyncio.gather(*map(self._execute, statement.parallel))
        else:
            raise ApplicationError("a statement is a call, a sequence or parallel statements", type="BadProgram")

    async def _call(self, call: Call) -> None:
        unknown = [name for name in call.arguments if name not in self._variables]
        if unknown:
            raise ApplicationError(f"{call.activity} needs {unknown}, which nothing has set", type="BadProgram")
        result = await workflow.execute_activity(
            call.activity,
            args=[self._variables[name] for name in call.arguments],
            start_to_close_timeout=timedelta(seconds=10),
            result_type=str,
        )
        if call.result is not None:
            self._variables[call.result] = result


@activity.defn
async def find_publisher(title: str) -> str:
    return f"the publisher of {title}"


@activity.defn
async def get_price(publisher: str) -> str:
    return f"a price from {publisher}"


@activity.defn
async def get_review(title: str) -> str:
    return f"a review of {title}"


@activity.defn
async def decide(price: str, review: str) -> str:
    return f"bought, after {price} and {review}"


def load(path: Path) -> Program:
    """Read a program, by the converter that carries it to the workflow as well."""
    program: Program = value_to_type(Program, json.loads(path.read_text()))
    return program


async def main(client: Client) -> None:
    program = load(Path(__file__).with_name("acquisition.json"))
    variables = await client.execute_workflow(RunProgram.run, program, id="dsl", task_queue=TASK_QUEUE)
    print(variables["decision"])


example = Example(main, workflows=[RunProgram], activities=[find_publisher, get_price, get_review, decide])

if __name__ == "__main__":
    example.run()
