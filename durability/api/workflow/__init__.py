"""Messages of ``temporal.api.workflow``."""
