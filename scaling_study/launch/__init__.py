"""Where runs execute: `base.py` says what a launcher is, `registry.py` finds one by its name."""
