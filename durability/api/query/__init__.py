"""Messages of ``temporal.api.query``."""
