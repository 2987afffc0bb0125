"""Messages of ``temporal.api.namespace``."""
