#!/usr/bin/env bash
# Installs dlf_jax from a fresh clone, compresses a photo and decompresses it. Can be repeated.
#
#   bash launch/quickstart.sh [VENV]     VENV: virtual environment to create or use, by
#                                        default .venv in the checkout
#
# PYTHON=/path/to/python selects the interpreter. CONSTRAINTS=launch/constraints/colab.txt, or
# another constraints file of pip, pins the versions.
set -euo pipefail
venv=${1:-}
case $venv in
  "" | /*) ;;
  *) venv=$PWD/$venv ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${venv:-$PWD/.venv}
source launch/environment.sh
make_environment "$venv" "" "${CONSTRAINTS:-}"

photo=launch/assets/coffee.png
out=runs/quickstart
mkdir -p "$out"

echo "== compress"
"$venv/bin/dlf" compress "$photo" -o "$out/coffee.dlf" --metrics --force
echo "== decompress, in a new process, from the file alone"
"$venv/bin/dlf" decompress "$out/coffee.dlf" -o "$out/coffee.png" --force
echo "== compare"
"$venv/bin/python" launch/side_by_side.py \
  "$photo" "$out/coffee.dlf" "$out/coffee.png" "$out/side_by_side.png"
