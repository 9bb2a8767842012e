"""Entropy coding in integers on the host, in NumPy: no module here imports jax."""
