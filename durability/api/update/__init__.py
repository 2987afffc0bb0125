"""Messages of ``temporal.api.update``."""
