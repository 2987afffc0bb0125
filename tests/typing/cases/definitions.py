"""What the other files call."""

from collections.abc import Sequence
from dataclasses import dataclass

from durability import activity, workflow
from durability.common import RawValue


@dataclass
class Order:
    id: str


@dataclass
class Receipt:
    total: int


@activity.defn
async def no_param() -> int:
    return 1


@activity.defn
async def one_param(order: Order) -> Receipt:
    return Receipt(len(order.id))


@activity.defn
async def two_params(order: Order, amount: int) -> str:
    return order.id * amount


@activity.defn
def in_thread(order: Order) -> Receipt:
    return Receipt(len(order.id))


@activity.defn
def in_thread_without_result() -> None:
    return None


class Activities:
    @activity.defn
    async def no_param(self) -> int:
        return 1

    @activity.defn
    async def one_param(self, order: Order) -> Receipt:
        return Receipt(len(order.id))

    @activity.defn
    def in_thread(self, order: Order) -> Receipt:
        return Receipt(len(order.id))


@activity.defn
class Callee:
    async def __call__(self, order: Order) -> Receipt:
        return Receipt(len(order.id))


@workflow.defn
class NoParam:
    @workflow.run
    async def run(self) -> Receipt:
        return Receipt(1)


@workflow.defn
class OneParam:
    @workflow.run
    async def run(self, order: Order) -> Receipt:
        return Receipt(len(order.id))

    @workflow.signal
    def signal_no_param(self) -> None:
        pass

    @workflow.signal
    async def signal_one_param(self, amount: int) -> None:
        pass

    @workflow.signal
    def signal_two_params(self, amount: int, text: str) -> None:
        pass

    @workflow.query
    def query_no_param(self) -> str:
        return ""

    @workflow.query
    def query_one_param(self, amount: int) -> Receipt:
        return Receipt(amount)

    @workflow.update
    async def update_no_param(self) -> str:
        return ""

    @workflow.update
    def update_one_param(self, amount: int) -> Receipt:
        return Receipt(amount)

    @workflow.update
    async def update_two_params(self, amount: int, text: str) -> Receipt:
        return Receipt(amount)

    @update_one_param.validator
    def check(self, amount: int) -> None:
        pass


@workflow.defn
class TwoParams:
    @workflow.run
    async def run(self, order: Order, amount: int) -> str:
        return order.id * amount


@workflow.defn(dynamic=True)
class Dynamic:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        return ""
