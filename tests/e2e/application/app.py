"""The application."""

from __future__ import annotations

from durability._runtime.settings import Settings

from .activities import ACTIVITIES
from .faults import FaultyApplication
from .repairable import Repairable
from .workflows import WORKFLOWS

# The shortest workflow timeout is 5 s: a shorter reserve leaves room for eager activities. Shorter bounds on lost
# wake-ups and attempts keep the tests short. The reconciler only runs when a test invokes it.
SETTINGS = Settings(reserve=1_500, overdue=500, attempt_recheck=1_000)

app = FaultyApplication(workflows=[*WORKFLOWS, Repairable], activities=ACTIVITIES, settings=SETTINGS)
