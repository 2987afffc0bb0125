"""Messages of ``temporal.api.failure``."""
