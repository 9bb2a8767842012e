"""Codes images for another process: requests on stdin, answers on stdout.

    python serve.py WEIGHTS...

WEIGHTS are files MODEL-RATE.npz or metagraphs of published models, one per rate.  A
request is a line of JSON, {"do": "compress", "rate", "height", "width", "bytes"} or
{"do": "decompress", "rate", "bytes"}, followed by that number of bytes of pixels or
of a file.  An answer is a line {"bytes", "height", "width"} or {"error"}, followed by
the bytes.
"""

import functools
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import models  # noqa: E402  (the environment comes first)
import numpy as np  # noqa: E402
import pretrained  # noqa: E402


def main(weights: list[str]) -> None:
    """Answers requests until stdin ends."""
    load = functools.cache(lambda rate: _load(Path(weights[rate])))
    # Libraries print to stdout too: redirect them to stderr.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        data = sys.stdin.buffer.read(request["bytes"])
        try:
            answer, result = _answer(load(request["rate"]), request, data)
        except (
            Exception
        ) as error:  # TensorFlow raises many kinds; the client reports them
            answer, result = {"error": f"{type(error).__name__}: {error}"}, b""
        line = json.dumps({"bytes": len(result), **answer}, allow_nan=False)
        answers.write(line.encode() + b"\n")
        answers.write(result)
        answers.flush()


def _load(path: Path):
    if path.suffix == ".metagraph":
        return pretrained.Pretrained(path)
    return models.load(path.stem.rpartition("-")[0], str(path))


def _answer(model, request: dict, data: bytes) -> tuple[dict, bytes]:
    if request["do"] == "compress":
        shape = (request["height"], request["width"], 3)
        return {}, model.compress(np.frombuffer(data, np.uint8).reshape(shape))
    image = model.decompress(data)
    return {"height": image.shape[0], "width": image.shape[1]}, image.tobytes()


if __name__ == "__main__":
    main(sys.argv[1:])
