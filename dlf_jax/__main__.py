"""Entry point of the program ``dlf``, also as ``python -m dlf_jax``."""

from dlf_jax import interruption


def main() -> None:
    """Runs the program in this process and handles the signals of the process."""
    interruption.run(_main)


def _main() -> None:
    from dlf_jax.cli import main

    main()


if __name__ == "__main__":
    main()
