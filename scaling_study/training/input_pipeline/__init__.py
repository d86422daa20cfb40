"""Batches: which images, decoded and augmented by workers, on the device ahead of time."""
