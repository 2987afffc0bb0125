"""Messages of Temporal's ``sdk`` API."""
