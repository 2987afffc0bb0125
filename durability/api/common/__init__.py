"""Messages of ``temporal.api.common``."""
