"""How one run is configured: its dataclasses, checks and id, from Hydra's files."""
