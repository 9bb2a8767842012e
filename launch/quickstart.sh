#!/usr/bin/env bash
# From a fresh clone to a compressed photo and back. Run it again as often as you like.
#
#   bash launch/quickstart.sh [VENV]     VENV: the virtual environment to make or use
#                                        (.venv in the checkout unless told)
#
# PYTHON=/path/to/python names the interpreter; CONSTRAINTS=launch/constraints/colab.txt, or
# another file of pip's, the releases.
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
