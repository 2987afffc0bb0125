"""Messages of ``temporal.api.operatorservice``."""
