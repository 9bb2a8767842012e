#!/usr/bin/env bash
# Trains on a Cloud TPU slice: creates the slice or uses an existing one, installs this checkout
# on all hosts, runs `dlf train` on them and follows the log of the first host. A preempted
# slice is created again, and the run resumes from its last checkpoint.
#
#   bash launch/tpu_pod.sh [--dry-run] NAME ZONE TYPE ARGUMENTS OF dlf train
#   bash launch/tpu_pod.sh dlf us-west4-a v5litepod-16 \
#     --config=configs/dlf.py:preset=l,stage=align,rate=qp3 --workdir=gs://BUCKET/align \
#     --config.init_from=gs://BUCKET/align_warmup --config.data=/photos
#
# --dry-run only prints the commands of a first run. SPOT=1 requests preemptible capacity,
# VERSION another runtime. SETUP holds shell commands that every host runs before training, such
# as mounting the photos. The project is that of gcloud's configuration; the hosts need write
# access to the bucket. launch/constraints/tpu.txt pins the versions on the hosts. The slice
# keeps running: `gcloud compute tpus tpu-vm delete NAME --zone ZONE` ends its costs.
set -euo pipefail

dry_run=
if [ "${1:-}" = --dry-run ]; then
  dry_run=1
  shift
fi
if [ $# -lt 4 ]; then
  echo "usage: bash launch/tpu_pod.sh [--dry-run] NAME ZONE TYPE ARGUMENTS OF dlf train" >&2
  exit 2
fi
name=$1 zone=$2 type=$3
shift 3
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/environment.sh

case $type in
  v5litepod-*) version=v2-alpha-tpuv5-lite ;;
  v5p-*) version=v2-alpha-tpuv5 ;;
  v6e-*) version=v2-alpha-tpuv6e ;;
  *) version=tpu-ubuntu2204-base ;;
esac
spot=${SPOT:+--spot}

run() {
  if [ -n "$dry_run" ]; then print_command "$@"; else "$@"; fi
}

tpu() {
  local verb=$1
  shift
  run gcloud compute tpus tpu-vm "$verb" "$@" --zone "$zone"
}

on() {
  tpu ssh "$name" --worker "$1" --command "$2"
}

# Prints READY, PREEMPTED or another state; nothing if there is no slice.
state() {
  if [ -z "$dry_run" ]; then
    gcloud compute tpus tpu-vm describe "$name" --zone "$zone" --format 'value(state)' \
      2>/dev/null || true
  fi
}

create() {
  local found
  found=$(state)
  [ "$found" = READY ] && return
  [ -z "$found" ] || tpu delete "$name" --quiet
  tpu create "$name" --accelerator-type "$type" --version "${VERSION:-$version}" ${spot:+"$spot"}
}

install() {
  local archive
  archive=${TMPDIR:-/tmp}/dlf-$name.tar.gz
  run git archive --format tar.gz --output "$archive" HEAD
  tpu scp "$archive" "$name:dlf.tar.gz" --worker all
  on all 'mkdir -p dlf && tar -xzf dlf.tar.gz -C dlf && cd dlf && python3 -m pip install --quiet --user uv && python3 -m uv venv --quiet --allow-existing --python 3.12 .venv && python3 -m uv pip install --quiet --python .venv --constraints launch/constraints/tpu.txt "jax[tpu]" -e ".[train,tfds,gcs]"'
  [ -z "${SETUP:-}" ] || on all "$SETUP"
}

# Training outlives the connection; a run in progress is not started again.
start() {
  on all "cd dlf && if ! { kill -0 \$(cat pid); } 2>/dev/null; then rm -f status; (trap '' HUP; .venv/bin/dlf train --cluster $(print_command "$@"); echo \$? >status) >>train.log 2>&1 </dev/null & echo \$! >pid; fi"
}

follow() {
  on 0 'tail -n 20 -F --pid $(cat dlf/pid) dlf/train.log'
}

# Prints the exit status of the run; nothing if the run has not ended.
outcome() {
  [ "$(state)" = READY ] || return
  on 0 'tail -n 1 dlf/train.log | grep -q "stopped at step" || cat dlf/status'
}

while true; do
  create
  install
  start "$@"
  follow || true
  [ -z "$dry_run" ] || exit 0
  sleep 60 # a preemption shows in the state only after a while
  status=$(outcome || true)
  [ -z "$status" ] || exit "$status"
  echo "The run was interrupted; resuming" >&2
done
