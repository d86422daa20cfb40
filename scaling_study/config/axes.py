"""The axes of a study: short names and the config keys that they vary."""

# Short names of the study's axes, and the config keys that they stand for.
AXES = {
    "depth": "model.depth",
    "width": "model.width",
    "resolution": "data.resolution",
    "epochs": "train.epochs",
    "seed": "seed",
}
