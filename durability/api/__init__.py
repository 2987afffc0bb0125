"""Messages under the names that Temporal's API gives them, for code that is written against those."""
