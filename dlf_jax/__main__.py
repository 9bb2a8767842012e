"""``python -m dlf_jax`` is the program ``dlf``."""

import gc

from dlf_jax.cli import main


def run() -> None:
    """Runs the program as a process of its own."""
    try:
        main()
    finally:
        # Libraries and Python look for garbage once more at the end, for half a second.
        gc.freeze()


if __name__ == "__main__":
    run()
