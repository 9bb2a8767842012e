#!/usr/bin/env bash
# Compresses many small photos with `dlf bulk` on Dask: a scheduler and two workers on this
# machine, one of which is killed halfway. Prints the time and the number of files and errors.
#
#   bash launch/bulk_dask.sh [NUMBER [OPTION...]]    NUMBER of photos, by default 1000;
#                                                    options of dlf bulk compress
#
# $PYTHON (default: python3) must have dlf_jax with the extras beam and dask.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
number=${1:-1000}
python=${PYTHON:-python3}
export JAX_PLATFORMS=${JAX_PLATFORMS:-cpu} PYTHONPATH=$PWD
folder=$(mktemp -d)
started=()
end() {
  { kill -9 "${started[@]}" || true; wait; } 2>/dev/null
  rm -rf "$folder"
}
trap end EXIT

"$python" - "$folder" "$number" <<'PYTHON'
import pathlib
import sys

import numpy as np
from PIL import Image

folder = pathlib.Path(sys.argv[1], "photos")
folder.mkdir()
for i in range(int(sys.argv[2])):
    coarse = np.random.default_rng(i).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(coarse).resize((64, 64), Image.BICUBIC).save(folder / f"{i:06}.png")
PYTHON

here=(--host 127.0.0.1 --no-dashboard)
"$python" -m distributed.cli.dask_scheduler "${here[@]}" --port 0 \
  --scheduler-file "$folder/scheduler.json" >"$folder/scheduler.log" 2>&1 &
started+=($!)
until grep -q '}$' "$folder/scheduler.json" 2>/dev/null; do sleep 0.2; done
for i in 1 2; do
  (cd "$folder" && exec "$python" -m distributed.cli.dask_worker "${here[@]}" --no-nanny \
    --nthreads 1 --scheduler-file scheduler.json >"worker$i.log" 2>&1) &
  started+=($!)
done

time "$python" -m dlf_jax bulk compress --input "$folder/photos/*.png" --output "$folder/files" \
  "${@:2}" --runner DaskRunner -- --dask_scheduler_file="$folder/scheduler.json" &
job=$!
started+=($job)
count() { find "$folder/files" -name '*.dlf' 2>/dev/null | wc -l; }
while kill -0 "$job" && [ "$(count)" -lt $((number / 3)) ]; do sleep 0.5; done
kill -9 "${started[1]}"
echo "killed a worker after $(count) files"
wait "$job"
echo "$(count) files, $(wc -l <"$folder/files/errors.jsonl") errors"
