#!/usr/bin/env bash
# Runs the checks of this project in a separate environment (.venv-test in the checkout).
#
#   bash launch/test.sh                  format, lint, import rule and the fast tests
#   bash launch/test.sh --all            also the slow tests, and tests of the entropy coders
#                                        with TensorFlow (.venv-test-full)
#   bash launch/test.sh --matrix [ROW..] launch/matrix.sh: the fast tests with other versions
#   bash launch/test.sh tests/ops -x     further arguments go to pytest
#
# Parity tests need golden data of the official network, in $DLF_PARITY or in shared/parity
# beside the checkout, and are skipped otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/environment.sh
selection=(-m "not slow")
# One process per core; a file stays in one process, because its tests share compiled
# programs. The order is that of tests/conftest.py.
workers=(-n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder)

if [ "${1:-}" = --matrix ]; then
  shift
  exec bash launch/matrix.sh "$@"
fi
full=
python=.venv-test/bin/python
if [ "${1:-}" = --all ]; then
  selection=(-m "slow or not slow" --durations=10)
  shift
  full=.venv-test-full/bin/python
  export DLF_OTHER_PYTHON=$full
  make_environment .venv-test-full test,train,tfds,tfc requirements.txt &
fi
make_environment .venv-test test,train,tfds,evaluate,beam,dask,onnx
[ -z "$full" ] || wait $!

echo "== format"
"$python" -m ruff format --check .
echo "== lint"
"$python" -m ruff check .
echo "== import rule"
"$python" -m pytest -q tests/test_imports.py
echo "== tests"
"$python" -m pytest "${workers[@]}" "${selection[@]}" "$@"
if [ -n "$full" ]; then
  echo "== tests with TensorFlow"
  "$full" -m pytest "${workers[@]}" -m "not slow" tests/entropy_coding tests/codec
fi
