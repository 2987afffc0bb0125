"""Messages of ``temporal.api.workflowservice``."""
