import os

from durability import Application
from durability.webhooks import Delivery, Signal, StandardWebhooks, Webhook
from examples.orders import activities
from examples.orders.workflows import OrderWorkflow


def picking_reported(delivery: Delivery) -> Signal:
    report = delivery.json()
    return Signal(report["reference"], "picking_reported", [report])


def webhooks() -> list[Webhook]:
    # Without a secret of its own there is no endpoint, rather than one that anybody can sign for.
    secret = os.environ.get("WAREHOUSE_WEBHOOK_SECRET")
    return [Webhook("warehouse", verifier=StandardWebhooks(secret), map=picking_reported)] if secret else []


app = Application(
    workflows=[OrderWorkflow],
    activities=[
        activities.reserve_stock,
        activities.release_stock,
        activities.charge_customer,
        activities.refund_customer,
        activities.request_picking,
        activities.cancel_picking,
        activities.ship,
        activities.recall_shipment,
    ],
    webhooks=webhooks(),
)
