#!/usr/bin/env bash
# Tests every row of launch/matrix.txt in its own environment (.venv-matrix-ROW): quickstart
# without extras, the fast tests (in row colab also the notebooks), and whether every row reads
# the files and checkpoints of every other row. Results go to runs/matrix;
# `python launch/versions.py table` writes docs/versions.md.
#
#   bash launch/test.sh --matrix             every row
#   bash launch/test.sh --matrix 3.13 colab  these rows
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
source launch/environment.sh

# Prints the fields of a row; nothing for an unknown row.
row() {
  awk -v name="$1" '$1 == name { print $2, $3, $4 }' launch/matrix.txt
}

# try_row NAME PYTHON CONSTRAINTS EXTRAS
try_row() {
  local environment=.venv-matrix-$1 constraints=${3#-} results=runs/matrix/$1 status
  local selection="not slow"
  [ "$1" != colab ] || selection+=" or notebook"
  rm -rf "$results" && mkdir -p "$results" || return
  PYTHON=$2 CONSTRAINTS=$constraints bash launch/quickstart.sh "$environment" &&
    touch "$results/quickstart"
  PYTHON=$2 make_environment "$environment" "$4" "$constraints" || return
  "$environment/bin/python" launch/versions.py write "$1" || return
  "$environment/bin/python" -m pytest -q -n auto --maxprocesses 4 --dist loadfile \
    --no-loadscope-reorder -m "$selection" --junitxml "$results/tests.xml"
  status=$?
  "$environment/bin/python" launch/versions.py record "$1" || return
  [ -e "$results/quickstart" ] && return $status
}

names=("$@")
[ $# -gt 0 ] || read -ra names -d '' < <(awk '/^[^#]/ { print $1 }' launch/matrix.txt)
failed=()
for name in "${names[@]}"; do
  read -r version constraints extras < <(row "$name")
  if [ -z "$version" ]; then
    echo "unknown row $name: see launch/matrix.txt" >&2
    exit 2
  fi
  echo "== row $name"
  python=$(find_python "$version") &&
    try_row "$name" "$python" "$constraints" "$extras" || failed+=("$name")
done
for name in "${names[@]}"; do
  [ -e "runs/matrix/$name/result.json" ] || continue
  ".venv-matrix-$name/bin/python" launch/versions.py read "$name" || failed+=("$name reads")
done
if [ ${#failed[@]} -gt 0 ]; then
  printf 'Failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
