"""Lambda function that runs one dispatched activity attempt per message."""

from durability.application import load_application

handler = load_application().activity_handler
