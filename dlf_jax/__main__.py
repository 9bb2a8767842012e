"""``python -m dlf_jax`` is the program ``dlf``."""

from dlf_jax import interruption


def main() -> None:
    """Runs the program in this process, of which it takes the signals."""
    interruption.run(_main)


def _main() -> None:
    from dlf_jax.cli import main

    main()


if __name__ == "__main__":
    main()
