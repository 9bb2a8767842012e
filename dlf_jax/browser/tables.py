"""Integers of a model that code files, for hosts without Python."""

from pathlib import Path

import numpy as np

from dlf_jax import strict_json
from dlf_jax.checkpoints.arrays import in_memory, read_safetensors, write_safetensors
from dlf_jax.checkpoints.directory import MODEL_FILE, model_directory
from dlf_jax.checkpoints.store import CONTEXT, TOKEN_FREQUENCIES, load_model
from dlf_jax.entropy_coding.tables import load_gaussian_tables
from dlf_jax.files import replacing

DESCRIPTION_FILE = "model.json"
TABLES_FILE = "tables.safetensors"


def write_tables(name_or_dir: Path | str, directory: Path) -> None:
    """Writes name, fingerprint and sizes of a model, and the integers that code files.

    `TABLES_FILE` holds the context model under ``context/`` as in the model directory,
    the token frequencies, and the Gaussian tables under ``gaussian/``.

    Args:
      name_or_dir: bundled model or model directory.
      directory: exists; files of an earlier model in it are replaced.

    Raises:
      UserError: there is no such model, or its files are damaged.
    """
    model = load_model(name_or_dir)
    stored = read_safetensors(model_directory(name_or_dir) / MODEL_FILE)
    arrays = {path: a for path, a in stored.items() if path.startswith(CONTEXT)}
    frequencies = np.stack([row.frequencies for row in model.tokens])
    gaussians = load_gaussian_tables()
    longest = max(len(row.cdf) for row in gaussians.rows)
    cdfs = [np.pad(row.cdf, (0, longest - len(row.cdf))) for row in gaussians.rows]
    arrays |= in_memory(
        {
            TOKEN_FREQUENCIES: frequencies.astype(np.uint16),
            "gaussian/cdf": np.stack(cdfs).astype(np.int32),
            "gaussian/cdf_length": np.int32([len(row.cdf) for row in gaussians.rows]),
            "gaussian/offset": np.int32([row.offset for row in gaussians.rows]),
            "gaussian/row_starts": gaussians.row_starts.astype(np.float32),
        }
    )
    description = {
        "name": model.name,
        "fingerprint": model.fingerprint.hex(),
        "config": model.config.to_dict(),
    }
    with (
        replacing(directory / DESCRIPTION_FILE) as text,
        replacing(directory / TABLES_FILE) as tables,
    ):
        write_safetensors(tables, arrays)
        text.write_text(strict_json.dumps(description, indent=2) + "\n", "utf-8")
