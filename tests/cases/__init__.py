"""Tables whose answers are known, which tests and benchmarks share."""
