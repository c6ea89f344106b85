"""What a law is: its signature, domains and objective, and equations inside it; knows JAX and NumPy only."""
