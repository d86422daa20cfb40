"""SLURM through submitit: jobs of runs, one array for each class of resources."""
