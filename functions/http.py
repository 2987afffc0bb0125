"""Lambda function behind the HTTP API."""

from durability.application import load_application

handler = load_application().http_handler
