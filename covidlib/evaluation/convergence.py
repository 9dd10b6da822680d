"""How steadily and how fast a training curve rises (manet figure 10 defines neither)."""

import numpy as np
import pandas as pd


def fluctuation(curve: pd.DataFrame, column: str, last: float = 0.5) -> float:
    """Return how much a curve jumps from epoch to epoch, whatever its trend.

    The standard deviation of successive differences over √2: of values that scatter about a
    straight line with deviation s it is s, however steep the line.

    Args:
        curve: one row per epoch.
        column: such as ``val_accuracy``; epochs without a value are left out.
        last: share of the epochs, from the end.

    Returns:
        NaN with fewer than three values.

    >>> fluctuation(pd.DataFrame({"epoch": range(6), "x": [0, 1, 2, 3, 4, 5]}), "x", last=1)
    0.0
    """
    values = _values(curve, column)
    values = values.iloc[len(values) - round(last * len(values)) :].to_numpy()
    if len(values) < 3:
        return float("nan")
    return float(np.std(np.diff(values), ddof=1) / np.sqrt(2))


def rise(curve: pd.DataFrame, column: str, share: float = 0.9) -> float:
    """Return after which share of training a curve has risen most of its way.

    The way goes from the first value to the mean of the last fifth; what counts is the first epoch
    at which the curve's median over three epochs is past ``share`` of it.

    Returns:
        In (0, 1]; NaN where the curve does not rise, or has fewer than five values.
    """
    values = _values(curve, column)
    if len(values) < 5:
        return float("nan")
    end = values.iloc[-max(1, len(values) // 5) :].mean()
    if end <= values.iloc[0]:
        return float("nan")
    smooth = values.rolling(3, center=True, min_periods=2).median()
    past = smooth >= values.iloc[0] + share * (end - values.iloc[0])
    epoch = past.index[past.to_numpy().argmax()] if past.any() else values.index[-1]
    return float((epoch + 1) / (values.index[-1] + 1))


def _values(curve: pd.DataFrame, column: str) -> pd.Series:
    return curve.set_index("epoch")[column].dropna()
