#!/usr/bin/env bash
#SBATCH --job-name=dlf
#SBATCH --nodes=1
#SBATCH --gpus-per-node=4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@300
# Trains on GPUs of a SLURM cluster, one process per GPU. Five minutes before the time limit,
# or when its processes are told to stop, the run saves and the job is requeued; the run then
# resumes. Set up once, in the checkout, on a file system shared by all nodes:
#
#   bash -c 'source launch/environment.sh; make_environment .venv train'
#   .venv/bin/pip install "jax[cuda12]"
#
# Then, from the checkout (options of sbatch, such as --nodes=4, before the script):
#
#   sbatch launch/gpu_slurm.sh --config=configs/dlf.py:preset=l,stage=align,rate=qp3 \
#     --workdir=runs/align --config.init_from=runs/align_warmup --config.data=PHOTOS
#   bash launch/gpu_slurm.sh --dry-run ...     prints the commands, also outside of a job
set -euo pipefail

dry_run=
if [ "${1:-}" = --dry-run ]; then
  dry_run=1
  shift
fi
if [ $# -eq 0 ]; then
  echo "usage: sbatch launch/gpu_slurm.sh [--dry-run] ARGUMENTS OF dlf train" >&2
  exit 2
fi

source launch/environment.sh

# Since SLURM 22.05 srun does not inherit this value from the job.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-16}
# jax finds the coordinator and the other processes by SLURM's variables.
train=(srun --kill-on-bad-exit=1 .venv/bin/dlf train "$@")
job=${SLURM_JOB_ID:-JOB}
stop=(scancel --signal=TERM "$job") # signals the processes of srun, not this script
requeue=(scontrol requeue "$job")
unfinished=75 # status of a run of several processes that was told to stop
if [ -n "$dry_run" ]; then
  print_command "${train[@]}"
  echo "# at the time limit; the last command also if the status is $unfinished:"
  print_command "${stop[@]}"
  print_command "${requeue[@]}"
  exit 0
fi

time_is_up=
trap 'time_is_up=1; "${stop[@]}"' TERM
"${train[@]}" &
status=0
wait $! || status=$?
if [ -n "$time_is_up" ]; then
  wait $! || true # the signal ended the first wait, not the run
fi
if [ -n "$time_is_up" ] || [ "$status" -eq "$unfinished" ]; then
  "${requeue[@]}"
fi
exit "$status"
