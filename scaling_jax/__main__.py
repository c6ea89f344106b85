"""`python -m scaling_jax` is the command line."""

from scaling_jax.cli import app

if __name__ == "__main__":
    app(prog_name="scaling-jax")
