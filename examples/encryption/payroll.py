"""Payslips: amounts and names that have no business in anybody's table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from durability import activity, workflow
from durability.exceptions import ApplicationError


@dataclass
class Payslip:
    employee: str
    amount: str


@activity.defn
async def calculate(employee: str) -> Payslip:
    activity.heartbeat(f"calculating for {employee}")
    return Payslip(employee, f"{len(employee) * 1000}.00 EUR")


@activity.defn
async def pay(payslip: Payslip) -> str:
    if payslip.employee.endswith("(unknown)"):
        raise ApplicationError("no account", f"no account of {payslip.employee}", non_retryable=True)
    return f"paid {payslip.amount} to {payslip.employee}"


@workflow.defn
class Payroll:
    """Calculates, waits for an approval, pays."""

    def __init__(self) -> None:
        self.payslip: Payslip | None = None
        self.note: str | None = None

    @workflow.run
    async def run(self, employee: str) -> str:
        self.payslip = await workflow.execute_activity(
            calculate,
            employee,
            start_to_close_timeout=timedelta(seconds=10),
            heartbeat_timeout=timedelta(seconds=5),
        )
        await workflow.wait_condition(lambda: self.note is not None)
        paid = await workflow.execute_activity(pay, self.payslip, start_to_close_timeout=timedelta(seconds=10))
        return f"{paid} ({self.note})"

    @workflow.signal
    def approve(self, note: str) -> None:
        self.note = note

    @workflow.update
    async def calculated(self) -> Payslip:
        await workflow.wait_condition(lambda: self.payslip is not None)
        assert self.payslip is not None
        return self.payslip

    @workflow.query
    def status(self) -> str:
        return f"{self.payslip.employee} waits for approval" if self.payslip else "not calculated yet"
