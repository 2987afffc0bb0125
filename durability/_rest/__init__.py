"""What the HTTP API and its client have in common: bodies, ids in paths, list queries, chains of runs."""
