"""A specification and a table solved: from words and rows to the engine's batch, and back to plain
records."""
