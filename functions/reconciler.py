"""Lambda function that wakes the runs whose wake-up was lost."""

from durability.application import load_application

handler = load_application().reconciler_handler
