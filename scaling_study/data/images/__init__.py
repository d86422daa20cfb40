"""Single images: decoding, crops, and the operations of augmentation policies."""
