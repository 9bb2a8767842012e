"""Published models of TensorFlow Compression, downloaded from Google's server."""

import http.client
import urllib.request
from pathlib import Path

from dlf_jax.errors import UserError
from dlf_jax.evaluation.tfc_codec import TFCCodec
from dlf_jax.files import write_file
from dlf_jax.perceptual.fetch import cache_dir

_URL = "https://storage.googleapis.com/tensorflow_compression/metagraphs"
_TIMEOUT_S = 30
# The rates of most models are numbers; these have the smallest files.
_RATES = {"hific": ("lo", "mi", "hi")}
_NUMBERS = ("1", "2", "3")


def open_codec(model: str) -> TFCCodec:
    """Opens a model such as bmshj2018-hyperprior-mse, mbt2018-mean-mse or hific.

    Raises:
      UserError: the model cannot be downloaded, or the environment is missing.
    """
    folder = cache_dir().parent / "tfci"
    rates = _RATES.get(model, _NUMBERS)
    files = {rate: folder / f"{model}-{rate}.metagraph" for rate in rates}
    for path in files.values():
        if not path.is_file():
            _fetch(path)
    return TFCCodec(f"tfci:{model}", files)


def _fetch(path: Path) -> None:
    try:
        with urllib.request.urlopen(f"{_URL}/{path.name}", timeout=_TIMEOUT_S) as found:
            data = found.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"cannot fetch {path.name} from {_URL} ({reason}): connect to the network, "
            f"or put the file into {path.parent}"
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, data, overwrite=True)
