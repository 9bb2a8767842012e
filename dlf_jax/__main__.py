"""``python -m dlf_jax`` is the program ``dlf``."""

from dlf_jax.cli import main

if __name__ == "__main__":
    main()
