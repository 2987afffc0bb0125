"""Lambda function that runs workflow tasks, and answers queries when it is invoked directly."""

from durability.application import load_application

handler = load_application().workflow_handler
