"""Host-side entropy coding on integers.  NumPy only: nothing here imports jax."""
