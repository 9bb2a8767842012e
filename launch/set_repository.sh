#!/usr/bin/env bash
# Writes the address of the repository into every file that shows it. Can be repeated, also with a new address.
#
#   bash launch/set_repository.sh https://github.com/OWNER/NAME
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/environment.sh
python=$(find_python)
exec "$python" launch/set_repository.py "$@"
