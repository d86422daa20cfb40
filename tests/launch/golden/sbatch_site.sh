#!/bin/bash

# Parameters
#SBATCH --account=vision
#SBATCH --array=0-11%12
#SBATCH --constraint='a100|h100'
#SBATCH --cpus-per-task=16
#SBATCH --exclude=bad1,bad2,bad3
#SBATCH --exclusive
#SBATCH --gres=gpu:a100:4
#SBATCH --job-name=study-grid
#SBATCH --mail-type=FAIL
#SBATCH --mem=64GB
#SBATCH --no-kill
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/store/grid/jobs/%A_%a_0_log.out
#SBATCH --partition=gpu
#SBATCH --qos=low
#SBATCH --requeue
#SBATCH --reservation=study
#SBATCH --signal=USR2@120
#SBATCH --time=480
#SBATCH --wckey=submitit

# setup
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
export SLURM_EXPORT_ENV=ALL
module load cuda
source /site/profile.sh
export PYTHONPATH=/store/snapshots/abc${PYTHONPATH:+:$PYTHONPATH}
export PYTHONSAFEPATH=1

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output /store/grid/jobs/%A_%a_%t_log.out --kill-on-bad-exit=1 PYTHON -u -m submitit.core._submit /store/grid/jobs
