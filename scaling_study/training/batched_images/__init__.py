"""Augmentation of whole batches of images by torch, on any device: the same bits as Pillow's."""
