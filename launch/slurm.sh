#!/usr/bin/env bash
# A run on the nodes of a Slurm cluster, one process a node, each with all its GPUs:
#
#   sbatch --nodes=4 launch/slurm.sh runs/mine --model owner/name --task gsm8k:train.jsonl \
#       --dtype bfloat16 --mesh fsdp=32
#
# RUN must lie on a file system that all nodes see, as should the working directory and the Python
# environment. Two minutes before its time is up, or when it is preempted, the job is told to end,
# leaves a run that goes on, and puts itself back into the queue.
#SBATCH --job-name=jaxgap
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -euo pipefail

hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
export JAX_COORDINATOR_ADDRESS=${hosts%%$'\n'*}:${JAXGAP_PORT:-12321}
export JAX_NUM_PROCESSES=$SLURM_NTASKS

status=0
# Slurm hands the script to another folder before it runs it; jobs begin where they were submitted.
# shellcheck disable=SC2016  # each task has a number of its own
srun --kill-on-bad-exit=1 bash -c 'JAX_PROCESS_ID=$SLURM_PROCID exec bash launch/improve.sh "$@"' \
  jaxgap "$@" || status=$?

# 143: ended by SIGTERM, with a checkpoint on disk.
if [ "$status" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
