"""Single images: decoding, crops, RandAugment."""
