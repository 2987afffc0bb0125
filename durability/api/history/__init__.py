"""Messages of ``temporal.api.history``."""
