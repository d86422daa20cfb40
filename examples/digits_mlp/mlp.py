"""scikit-learn's multilayer perceptron on its digits: test error by layers and width."""

from collections.abc import Callable
from typing import Any


def train(depth: int, width: int, epochs: int, seed: int, stop: Callable[[], bool]) -> Any:
    """One network of `depth` hidden layers of `width` units, trained for `epochs`."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        x / 16, y, test_size=500, random_state=0, stratify=y
    )
    layers = (int(width),) * int(depth)
    model = MLPClassifier(layers, batch_size=64, learning_rate_init=3e-3, random_state=seed)
    for _ in range(epochs):
        if stop():
            return None  # it has no checkpoint: the next attempt begins anew
        model.partial_fit(x_train, y_train, classes=range(10))
    params = sum(part.size for part in (*model.coefs_, *model.intercepts_))
    return {
        "outcome": float((model.predict(x_test) != y_test).mean()),
        "params": params,
        "n_train": len(x_train),
        "n_val": len(x_test),
    }
