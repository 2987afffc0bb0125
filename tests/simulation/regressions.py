"""Scenarios that once failed, as they were found: engine and simulation have moved on, so points may have too."""

from __future__ import annotations

from typing import Final

from durability._simulation.plan import Delivery, Fault, Plan
from tests.simulation.programs import large_text
from tests.simulation.scenario import Action, Scenario

REGRESSIONS: Final[dict[str, Scenario]] = {
    "an attempt decided after a lost heartbeat met a cancellation: the run waited for ever for either": Scenario(
        program=[["cancelled", 4], ["eager", 44], ["race", 30], ["flaky", 41, 1, True]],
        actions=(
            Action(at=0.502, kind="signal", value=0, persistent=True),
            Action(at=0.5068, kind="signal", value=1, persistent=True),
            Action(at=3.0005, kind="query", value=0, persistent=True),
        ),
        plan=Plan(
            seed=844980981,
            faults={8: Fault.UNAVAILABLE},
            deliveries={13: Delivery.TWICE, 10: Delivery.LOST, 5: Delivery.LOST},
            skew=3.0,
            lag=0.5,
            page_limit=1500,
            deployed_at=30.0,
        ),
    ),
    "an attempt that the run had given up reported its cancellation, and the workflow failed of it": Scenario(
        program=[["flaky", 46, 2, True]],
        plan=Plan(seed=2293620260, faults={14: Fault.FREEZE_BEFORE, 27: Fault.FREEZE_BEFORE}),
        other=False,
    ),
    "a query showed the end of a run that had been superseded, without a signal that had been accepted": Scenario(
        program=[["eager", 49], ["new"], ["patched", 38]],
        actions=(
            Action(at=0.0039, kind="signal", value=0, persistent=True),
            Action(at=0.5023, kind="signal", value=1, persistent=True),
            Action(at=0.018000000000000002, kind="signal", value=2, persistent=True),
            Action(at=0.0132, kind="signal", value=3, persistent=True),
            Action(at=0.0127, kind="note", value=1, persistent=True),
            Action(at=3.0082, kind="query", value=0, persistent=True),
        ),
        plan=Plan(
            seed=3334868506,
            faults={},
            deliveries={19: Delivery.LATE, 4: Delivery.TWICE, 6: Delivery.LOST},
            skew=3.0,
            lag=0.0,
            page_limit=1048576,
            deployed_at=0.02,
        ),
    ),
    "time went back over an end that was superseded: a timer had fired before its time": Scenario(
        program=[["sleep", 0.5]],
        actions=(
            Action(at=0.5014, kind="add", value=1, persistent=True),
            Action(at=0.0095, kind="add", value=2, persistent=True),
        ),
        plan=Plan(
            seed=4090704033,
            faults={14: Fault.FREEZE_BEFORE, 6: Fault.FREEZE_AFTER},
            deliveries={},
            skew=3.0,
            lag=0.5,
            page_limit=300,
            deployed_at=0.02,
        ),
    ),
    "a process that had been frozen began an attempt that had been given up and made again": Scenario(
        program=[["eager", 9], ["tell", "other", "t31-500797"], ["eager", 33], ["race", 5]],
        actions=(
            Action(at=60.0011, kind="signal", value=0, persistent=True),
            Action(at=60.0034, kind="signal", value=1, persistent=True),
            Action(at=60.0019, kind="cancel", value=0, persistent=True),
        ),
        plan=Plan(seed=1735198042, faults={}, deliveries={}, skew=3.0, lag=0.5, page_limit=1048576, deployed_at=0.0),
    ),
    "a wake-up that came before its time, by the clock of who received it, was the last one": Scenario(
        program=[["cancelled", 1], ["sleep", 100], ["eager", 35], ["slow", 12]],
        actions=(Action(at=0.0042, kind="reject", value=1, persistent=True),),
        plan=Plan(
            seed=3630257961,
            faults={},
            deliveries={19: Delivery.LATE},
            skew=0.5,
            lag=0.0,
            page_limit=1500,
            deployed_at=0.0,
        ),
    ),
    "a query left a run in a warm process whose last delta nobody had dispatched, and nobody ever did": Scenario(
        program=[["child", [["eager", 12]]], ["all", [["counting", 4], ["sleep", 20]]], ["patched", 19], ["eager", 43]],
        actions=(Action(at=0.004, kind="query", value=0, persistent=True),),
        plan=Plan(
            seed=1472859139,
            faults={15: Fault.CRASH_BEFORE, 12: Fault.CRASH_AFTER, 17: Fault.FREEZE_AFTER},
            deliveries={},
            skew=0.0,
            lag=0.0,
            page_limit=300,
            deployed_at=0.0,
        ),
    ),
    "a query of a run that was closed before its first workflow task failed as if the workflow had": Scenario(
        program=[["new"], ["all", [["hopeless"], ["flaky", 4, 1, False], ["race", 1]]]],
        actions=(
            Action(at=0.013000000000000001, kind="signal", value=0, persistent=True),
            Action(at=0.018099999999999998, kind="query", value=0, persistent=True),
        ),
        plan=Plan(
            seed=1120920912,
            faults={13: Fault.UNAVAILABLE, 18: Fault.FREEZE_BEFORE, 14: Fault.LOSE_ANSWER},
            deliveries={1: Delivery.LOST},
            skew=3.0,
            lag=0.0,
            page_limit=300,
            deployed_at=2.0,
        ),
    ),
    "a signal that was repeated to the run that follows was consumed twice": Scenario(
        program=[["hopeless"], ["new"]],
        actions=(Action(at=0.011, kind="signal", value=0, persistent=False),),
        plan=Plan(
            seed=1124831081,
            faults={145: Fault.FREEZE_AFTER},
            deliveries={},
            skew=0.0,
            lag=5.0,
            page_limit=1500,
            deployed_at=0.02,
        ),
    ),
    "an update that nobody validated was recorded together with a termination": Scenario(
        program=[],
        actions=(Action(at=0.024, kind="reject", value=1), Action(at=0.0103, kind="terminate")),
        plan=Plan(seed=119272176),
        other=False,
    ),
    "a signal whose answer was lost was repeated to the run that follows": Scenario(
        program=[["eager", 1], ["new"], ["eager", 2]],
        actions=(Action(at=0.0104, kind="signal"),),
        plan=Plan(seed=2944192246, faults={4: Fault.LOSE_ANSWER}),
        other=False,
    ),
    "a process that was frozen while it read what an attempt had told began the next one, long given up": Scenario(
        program=[["slow", 30]],
        actions=(Action(at=60.0004, kind="add", value=1),),
        plan=Plan(
            seed=2138753986,
            faults={3: Fault.UNAVAILABLE, 11: Fault.CRASH_BEFORE, 16: Fault.FREEZE_AFTER},
            page_limit=300,
        ),
    ),
    "a termination that left an update out was taken for superseded by it: history grew after its end": Scenario(
        program=[["race", 5]],
        actions=(
            Action(at=0.0068, kind="add", value=1),
            Action(at=0.0143, kind="add", value=2),
            Action(at=0.0089, kind="query"),
            Action(at=0.0089, kind="terminate"),
        ),
        plan=Plan(seed=743546602),
    ),
    "one of two signals to others could not be sent, the other was under way when the function answered": Scenario(
        program=[
            ["eager", 20],
            ["all", [["tell", "other", "t20-289468"], ["tell", "other", "t4-850320"], ["local", 24], ["hopeless"]]],
        ],
        actions=(Action(at=0.0052, kind="query"), Action(at=0.006, kind="cancel")),
        plan=Plan(
            seed=2728011580,
            faults={2: Fault.FREEZE_BEFORE, 30: Fault.UNAVAILABLE, 28: Fault.UNAVAILABLE},
            at_once=0.5,
        ),
    ),
    "whoever could not read a payload terminated the run again, from what it had read long before the end": Scenario(
        program=[
            ["large", 18, True],
            ["tell", "other", "t18-480582"],
            ["large", 48, False],
            ["flaky", 10, 1, True],
            ["ballast", large_text(0)],
        ],
        actions=(Action(at=3.0053, kind="query"), Action(at=3.0074, kind="terminate")),
        plan=Plan(seed=468618027, faults={55: Fault.UNAVAILABLE}, skew=3.0, deployed_at=2.0, at_once=0.5),
    ),
    **{
        f"an outcome was dropped by who had read the history before its activity was in it, {where}": Scenario(
            program=[
                ["all", [["eager", 22], ["eager", 0]]],
                ["all", [["dispatched", number] for number in range(4)]],
            ],
            actions=(Action(at=0.5, kind="signal"),),
            plan=Plan(seed=seed, at_once=0.5, apart=apart, crowded=1.0),
            other=False,
        )
        for where, seed, apart in (("beside the head", 241, True), ("in the head", 95, False))
    },
    "a wake-up was relied on that a process whose clock was ahead had had: a timer fired minutes late": Scenario(
        program=[["all", [["dispatched", 18], ["eager", 35]]], ["child", [["outside", 7]]], ["race", 30]],
        plan=Plan(seed=3514148697, skew=3.0, page_limit=300, apart=True),
        other=False,
    ),
    **{
        f"a run could not be deleted, as who replaced it had died with less done than another, {seed}": Scenario(
            program=[["summon", "summoned-0", "s18-406927"], ["large", 2, True], ["new"]],
            actions=(Action(at=0.0175, kind="signal"), Action(at=0.0041, kind="add", value=1)),
            plan=Plan(seed=seed, skew=0.5, at_once=0.5, crowded=crowded, faults={point: Fault.CRASH_AFTER}),
            other=False,
        )
        for seed, crowded, point in ((261, 1.0, 41), (275, 0.0, 63))
    },
}
