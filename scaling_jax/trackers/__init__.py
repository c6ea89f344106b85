"""Runs read from where people log them: each tracker through its own package, all to one tidy table."""
