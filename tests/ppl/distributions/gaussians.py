"""Mean and covariance matrix of the normal processes, built by hand, by the name of the class."""

import numpy as np
from scipy import linalg


def random_walk(d):
    n = d.num_steps
    sums = np.tril(np.ones((n, n)))  # x = sums @ (first, steps)
    first = (0.0, d.scale) if d.init_dist is None else (d.init_dist.loc, d.init_dist.scale)
    scales = np.array([first[1], *[d.scale] * (n - 1)], float)
    return np.full(n, float(first[0])), sums @ np.diag(scales**2) @ sums.T


def autoregression(d):
    """(I - B) x = noise + what came before, B the matrix of the coefficients."""
    n, c = d.num_steps, np.asarray(d.coefficients, float)
    b = sum(np.diag(np.full(n - k, c[k - 1]), -k) for k in range(1, len(c) + 1) if k < n)
    forcing, scales = np.full(n, float(d.constant)), np.full(n, float(d.scale))
    if d.init_dist is not None:
        p = len(c)
        b[:p] = 0
        forcing[:p], scales[:p] = np.asarray(d.init_dist.mean), np.sqrt(np.asarray(d.init_dist.variance))
    elif d.init is not None:
        before = np.asarray(d.init, float)
        for t in range(len(c)):
            forcing[t] += sum(c[k - 1] * before[t - k] for k in range(t + 1, len(c) + 1))
    root = np.linalg.inv(np.eye(n) - b)
    return root @ forcing, root @ np.diag(scales**2) @ root.T


def state_space(d):
    """Of the matrix read row by row."""
    a, s = np.asarray(d.transition_matrix, float), np.asarray(d.noise.covariance_matrix, float)
    n, z = d.num_steps, np.asarray(d.initial_value, float)
    power = [np.linalg.matrix_power(a, k) for k in range(n + 1)]
    root = np.block([[power[i - j] if i >= j else 0 * a for j in range(n)] for i in range(n)])
    return np.concatenate([power[t + 1] @ z for t in range(n)]), root @ np.kron(np.eye(n), s) @ root.T


def car(d):
    w = np.asarray(d.adj_matrix)
    precision = float(d.conditional_precision) * (np.diag(w.sum(0)) - float(d.correlation) * w)
    return np.asarray(d.loc), np.linalg.inv(precision)


def icar(d):
    """Of a graph whose connected parts are blocks of neighbours in order."""
    w = np.asarray(d.adj_matrix)
    precision = (np.diag(w.sum(0)) - w) / float(d.scale) ** 2
    reach = np.linalg.matrix_power(np.eye(len(w)) + w, len(w)) > 0
    for part in np.unique(reach, axis=0):
        precision += np.outer(part, part) / (float(d.zero_sum_stdev) * part.sum()) ** 2
    return np.zeros(len(w)), np.linalg.inv(precision)


def circulant(d):
    return np.asarray(d.loc), linalg.circulant(np.asarray(d.covariance_row))


BY_HAND = {
    "GaussianRandomWalk": random_walk,
    "AR": autoregression,
    "GaussianStateSpace": state_space,
    "CAR": car,
    "ICAR": icar,
    "CirculantNormal": circulant,
}
