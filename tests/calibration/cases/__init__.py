"""The cases of the calibration, a module a subject."""
