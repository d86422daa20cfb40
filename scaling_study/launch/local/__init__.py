"""The launcher `local`: a pool of processes on this machine."""
