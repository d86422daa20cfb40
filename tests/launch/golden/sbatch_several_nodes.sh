#!/bin/bash

# Parameters
#SBATCH --array=0-11%12
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=8
#SBATCH --job-name=study-grid
#SBATCH --mem=128GB
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --open-mode=append
#SBATCH --output=/store/grid/jobs/%A_%a_0_log.out
#SBATCH --requeue
#SBATCH --signal=USR2@120
#SBATCH --time=1440
#SBATCH --wckey=submitit

# setup
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
export SLURM_EXPORT_ENV=ALL
export PYTHONPATH=/store/snapshots/abc${PYTHONPATH:+:$PYTHONPATH}
export PYTHONSAFEPATH=1

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /store/grid/jobs/%A_%a_%t_log.out --kill-on-bad-exit=1 PYTHON -u -m submitit.core._submit /store/grid/jobs
