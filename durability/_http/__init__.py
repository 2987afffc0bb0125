"""The HTTP API: operations on workflows, callbacks and webhooks."""
