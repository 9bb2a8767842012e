"""The real loop on the tiny codec as a process of its own.

``python -m tests.training.train_tiny PHOTOS WORKDIR KEY=JSON ...``
"""

import json
import sys

from dlf_jax.training.run.checkpointing import absolute
from dlf_jax.training.run.distributed import exit_status, join_job
from dlf_jax.training.run.loop import train
from tests.training import tiny


def main(photos: str, workdir: str, *changes: str) -> None:
    """Runs the stage of the tokenizer, and saves after every step."""
    join_job()
    config = tiny.shipped_config("tokenizer")
    config.data, config.init_from = photos, "none"
    config.steps, config.log_every, config.save_minutes = 12, 1, 0.0
    config.validation.every, config.optimizer.warmup_steps = 3, 11
    # Tokens of noise are alike, and so are codes revived from them: which of those goes
    # unused hangs on the order of sums. Only the first step revives, which is clear.
    config.revive_every = 100
    for change in changes:
        key, value = change.split("=")
        config[key] = json.loads(value)
    state = train(config, absolute(workdir))
    sys.exit(exit_status(int(state.step), config.steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
