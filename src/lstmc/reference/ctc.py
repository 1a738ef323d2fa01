"""Connectionist Temporal Classification: the loss of one sequence and its gradient, after Graves, Fernandez, Gomez and Schmidhuber (2006).

A class for each of T frames is a path. It says the labels that are left when repetitions are merged and then blanks dropped, and its
probability is the product of those of its classes. The loss is -log p, p the sum over all paths that say the labels. With the states
l = blank, label 1, blank, .., label L, blank, S = 2 L + 1 of them, and y_t = softmax(x_t):

    a_t(s) = y_t(l_s) (a_t-1(s) + a_t-1(s - 1) + [a_t-1(s - 2) if l_s is a label, and another than l_s-2])
    b_t(s) = c(s) + c(s + 1) + [c(s + 2) likewise],   c(s) = y_t+1(l_s) b_t+1(s)
    p      = a_T-1(S - 1) + a_T-1(S - 2)
    dx_t(k) = y_t(k) - sum over s with l_s = k of a_t(s) b_t(s) / p

all of it in logarithms. Where no path says the labels, the loss is infinite and the gradient 0. Without frames, that is the case for all but
no labels, whose loss is 0.
"""

import numpy as np


def log_softmax(x):
    """x - log sum exp x along the last axis."""
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def states(labels, blank):
    """The states of labels, and which of them may follow that of two before."""
    s = np.full(2 * len(labels) + 1, blank)
    s[1::2] = labels
    skip = np.zeros(len(s), bool)
    skip[3::2] = s[3::2] != s[1:-2:2]
    return s, skip


def lse(a, b, c):
    """log(e^a + e^b + e^c)."""
    return np.logaddexp(np.logaddexp(a, b), c)


def later(a, n):
    """a with n impossible values before it and the last n gone."""
    return np.concatenate([np.full(n, -np.inf), a])[:len(a)]


def ctc(x, labels, blank=0):
    """Loss of one sequence, and its gradient.

    Parameters
    ----------
    x : (T, C) array
        Logits.
    labels : (L,) array of int
        Classes other than `blank`.
    blank : int

    Returns
    -------
    loss : float
    dx : (T, C) array of float64
    """
    x, labels = np.asarray(x, np.float64), np.asarray(labels, np.intp)
    (T, _), (l, skip) = x.shape, states(labels, blank)
    log_y = log_softmax(x) if T else x
    S = len(l)
    first = np.where(np.arange(S) < 1, 0.0, -np.inf)
    a, b = np.full((T, S), -np.inf), np.full((T, S), -np.inf)
    for t in range(T):
        before = a[t - 1] if t else first       # the way in leads to the first two states
        a[t] = log_y[t, l] + lse(before, later(before, 1), np.where(skip, later(before, 2), -np.inf))
    for t in reversed(range(T)):
        if t == T - 1:
            b[t] = np.where(np.arange(S) >= S - 2, 0.0, -np.inf)
        else:
            c = log_y[t + 1, l] + b[t + 1]
            b[t] = lse(c, later(c[::-1], 1)[::-1], later(np.where(skip, c, -np.inf)[::-1], 2)[::-1])
    log_p = np.logaddexp.reduce(a[-1, -2:]) if T else (0.0 if S == 1 else -np.inf)
    if log_p == -np.inf:
        return np.inf, np.zeros(x.shape)
    dx = np.exp(log_y)
    for t in range(T):
        np.subtract.at(dx[t], l, np.exp(a[t] + b[t] - log_p))
    return float(0 - log_p), dx
