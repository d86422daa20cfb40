"""A study as one file: packed here, unpacked elsewhere."""
