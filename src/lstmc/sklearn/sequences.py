"""What X may be, and how all of it becomes one (N, T, F) array.

Three kinds: a table (N, T), whose columns are the steps of one feature; an array (N, T, F); a list of sequences (T_i, F) or (T_i,), of any
lengths. scikit-learn's rules on columns (their number, their names) are for who has learned from a table; for others F alone has to be the same,
and T is free.
"""

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from lstmc.nn import checks

PADDING = np.inf        # fills up short sequences; nothing that passes the checks below has it, so that padding is told from any data


def accepted(estimator, X, reset):
    """X as an (N, T, F) array of the estimator's dtype, padded at the ends of sequences.

    With `reset`, `estimator.n_features_in_` becomes T of a table and F of anything else; otherwise X must agree with it.
    """
    dtype = checks.float_dtype(estimator.dtype)
    if is_list(X):
        a = padded(X, dtype)
    else:
        checks.has_dtype(X, "X")            # which raises if something is masked: scikit-learn takes what is under a mask
        with np.errstate(over="ignore", invalid="ignore"):        # what is too large becomes infinite, which check_array reports
            a = check_array(X, dtype=dtype, allow_nd=True, input_name="X", estimator=estimator)
        if a.ndim > 3 or 0 in a.shape:
            raise ValueError(f"X: expected shape (N, T) or (N, T, F) with at least one of each, received {checks.shape_text(a.shape)}")
    table = a.ndim == 2
    if reset:
        validate_data(estimator, X if table else a, reset=True, skip_check_array=True)
        estimator._table = table
        if not table:
            estimator.n_features_in_ = a.shape[2]
    elif estimator._table:
        validate_data(estimator, X if table else a, reset=False, skip_check_array=True)
        if (a[:, -1] == PADDING).any():
            raise ValueError(f"X: expected {estimator.n_features_in_} steps in each sequence, as in the table of fit, received fewer in some")
    a = a[:, :, None] if table else a
    F = 1 if estimator._table else estimator.n_features_in_
    if a.shape[2] != F:
        raise ValueError(f"X has {a.shape[2]} features per step, but {type(estimator).__name__} is expecting {F} features per step as input")
    return a


def is_list(X):
    """Whether X is a list of sequences, and not of the rows of an array; an array of objects with one axis is such a list, too."""
    if isinstance(X, (list, tuple)):
        rows = all(isinstance(s, (list, tuple)) for s in X)
        return not rows or len(set(map(len, X))) > 1
    return getattr(X, "ndim", None) == 1 and getattr(X, "dtype", None) == np.dtype(object)


def padded(X, dtype):
    """The sequences of a list as an (N, T, F) array, with PADDING after their ends."""
    found = [sequence(s, f"X[{i}]", dtype) for i, s in enumerate(X)]
    if not found:
        raise ValueError("X: expected at least one sequence, received none")
    F = found[0].shape[1]
    for i, s in enumerate(found):
        if s.shape[1] != F:
            raise ValueError(f"X[{i}]: expected {F} features per step, as X[0] has, received {s.shape[1]}")
    a = np.full((len(found), max(map(len, found)), F), PADDING, dtype)
    for row, s in zip(a, found, strict=True):
        row[:len(s)] = s
    return a


def sequence(s, name, dtype):
    """One sequence as a (T, F) array of finite numbers."""
    try:
        a = checks.plain(s, name)
    except ValueError as error:
        raise ValueError(f"{name}: expected a sequence (T,) or (T, F), received something else ({error})") from None
    if a.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected real numbers, received dtype {a.dtype}")
    if a.ndim not in (1, 2) or not a.size:
        raise ValueError(f"{name}: expected a sequence (T,) or (T, F) with at least one of each, received shape {checks.shape_text(a.shape)}")
    with np.errstate(over="ignore", invalid="ignore"):
        a = a.astype(dtype)
    if not np.isfinite(a).all():
        raise ValueError(f"{name}: expected finite values, received {'NaN' if np.isnan(a).any() else f'infinity or a value too large for {dtype}'}")
    return a[:, None] if a.ndim == 1 else a
