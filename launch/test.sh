#!/usr/bin/env bash
# Every check of this project, in an environment of its own (.venv-test in the checkout).
#
#   bash launch/test.sh                  format, lint, import rule and the fast tests
#   bash launch/test.sh --all            the slow tests too, as in CI
#   bash launch/test.sh tests/ops -x     what follows goes to pytest
#
# Tests that compare with golden data of the official network look for it in $DLF_PARITY
# or in shared/parity beside the checkout, and are skipped where it is neither.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/environment.sh
venv=.venv-test
selection=(-m "not slow")
if [ "${1:-}" = --all ]; then
  selection=(-m "slow or not slow" --durations=10)
  shift
fi
make_environment "$venv" test,train
python=$venv/bin/python

echo "== format"
"$python" -m ruff format --check .
echo "== lint"
"$python" -m ruff check .
echo "== import rule"
"$python" -m pytest -q tests/test_imports.py
echo "== tests"
"$python" -m pytest "${selection[@]}" "$@"
