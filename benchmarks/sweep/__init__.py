"""The training sweep behind `scaling_jax.datasets.load("tiny_sweep")`.

`python -m benchmarks.sweep` rebuilds the corpus, trains every run that is not yet in the log and writes the
table.
"""
