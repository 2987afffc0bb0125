"""Messages of ``temporal.api.taskqueue``."""
