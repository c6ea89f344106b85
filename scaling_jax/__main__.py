"""`python -m scaling_jax` is the command line."""

from scaling_jax.cli import app

app(prog_name="scaling-jax")
