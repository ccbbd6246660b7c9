"""Abilities of models from verdicts on pairs of edits: Davidson's model of ties, jointly over several dimensions.

Every model has one ability theta over all dimensions, every dimension its own inclination nu to ties:

    P(A wins) : P(B wins) : P(tie)  =  exp(a) : exp(b) : 2 nu exp((a + b) / 2)

Fitted is the likelihood with a normal prior on theta (precision 1); in `elo` a dimension with fewer verdicts counts as
much as one with many. Elo = 1000 + theta * 400 / ln 10, where the mean of theta is 0. So does GEditBench v2 (arXiv
2603.28547), but for one thing: its prior is about the last model by name instead of the mean, so that its Elo depends
on names. The optimum is found by Newton's method, for any number of weightings of the verdicts at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PRECISION = 1.0  # of the prior
LOG_NU = (-12.0, 8.0)  # bounds of it, for dimensions without ties, or of ties alone
ELO = 400 / math.log(10)  # of an ability of 1
_SMALLEST_RATE = 1e-6
_MAX_STEPS, _MAX_HALVINGS = 200, 40
_FLAT = 1e-7  # a gradient so small, by the number of verdicts, is that of the optimum


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """Which of two models made the better edit."""

    a: str
    b: str
    won: float  # 1.0: `a`; 0.0: `b`; 0.5: neither


def elo(dimensions: Sequence[Sequence[PairVerdict]], is_prior_by_name: bool = False) -> dict[str, float]:
    """Elo by model, of all that were compared; nothing without verdicts.

    is_prior_by_name   as published: the prior is about the last model by name

    Raises ArithmeticError if no optimum is found.
    """
    used = [rows for rows in dimensions if rows]
    names = sorted({name for rows in used for one in rows for name in (one.a, one.b)})
    if len(names) < 2:
        return dict.fromkeys(names, 1000.0)
    mean = sum(map(len, used)) / len(used)
    pairs = sorted({(one.a, one.b) for rows in used for one in rows})
    place = {pair: number for number, pair in enumerate(pairs)}
    counts = np.zeros((1, len(used), len(pairs), 3))
    for dimension, rows in enumerate(used):
        for one in rows:
            counts[0, dimension, place[one.a, one.b], _column(one.won)] += mean / len(rows)
    numbered = np.array([(names.index(a), names.index(b)) for a, b in pairs])
    theta = abilities(counts, numbered, len(names), is_prior_about_last=is_prior_by_name)[0]
    return {name: 1000.0 + ELO * float(one) for name, one in zip(names, theta, strict=True)}


def _column(won: float) -> int:
    if won not in (1.0, 0.0, 0.5):
        raise ValueError("a verdict is 1.0, 0.0 or 0.5")
    return {1.0: 0, 0.0: 1, 0.5: 2}[won]


def abilities(
    counts: Floats,
    pairs: NDArray[np.intp],
    num_models: int,
    precision: float = PRECISION,
    is_prior_about_last: bool = False,
) -> Floats:
    """theta of every model, its mean 0, for each of several weightings: (weightings, models).

    counts   (weightings, dimensions, pairs, 3): how often the first of the pair won, the second, neither; any weights
    pairs    (pairs, 2): numbers of models

    Raises ArithmeticError if no optimum is found.
    """
    problem = _Likelihood(counts, pairs, num_models, _prior(num_models, precision, is_prior_about_last))
    num = counts.sum(axis=(2, 3))
    rates = np.clip(counts[..., 2].sum(axis=2) / np.maximum(num, 1e-300), _SMALLEST_RATE, 1 - _SMALLEST_RATE)
    start = np.clip(np.log(rates / (1 - rates)), *LOG_NU)
    x = problem.optimum(np.concatenate([np.zeros((len(counts), num_models)), start], axis=1))
    theta = x[:, :num_models]
    return np.asarray(theta - theta.mean(axis=1, keepdims=True))


def _prior(num_models: int, precision: float, is_about_last: bool) -> Floats:
    """Its quadratic form. That about 0 has its optimum where the mean is 0: nothing else knows where 0 is."""
    if not is_about_last:
        return np.eye(num_models) * precision
    from_last: Floats = np.eye(num_models)
    from_last[:, -1] -= 1.0
    return np.asarray(precision * from_last.T @ from_last + 1.0 / num_models**2)


class _Likelihood:
    """The loss of every weighting: convex in theta and log nu, which lie side by side in a row of `x`."""

    def __init__(self, counts: Floats, pairs: NDArray[np.intp], num_models: int, prior: Floats) -> None:
        num_weightings, num_dimensions, num_pairs, _ = counts.shape
        self.counts = counts.reshape(num_weightings, num_dimensions * num_pairs, 3)
        self.num_models = num_models
        size = num_models + num_dimensions
        design = np.zeros((num_dimensions, num_pairs, 3, size))  # of the three logits
        each = np.arange(num_pairs)
        for column, (a, b) in enumerate(((1.0, 0.0), (0.0, 1.0), (0.5, 0.5))):
            design[:, each, column, pairs[:, 0]] += a
            design[:, each, column, pairs[:, 1]] += b
        for dimension in range(num_dimensions):
            design[dimension, :, 2, num_models + dimension] = 1.0
        self.design = design.reshape(num_dimensions * num_pairs, 3, size)
        self.prior = np.zeros((size, size))
        self.prior[:num_models, :num_models] = prior

    def _logits(self, x: Floats) -> Floats:
        found: Floats = np.einsum("kip,bp->bki", self.design, x)
        found[..., 2] += math.log(2.0)
        return found

    def loss(self, x: Floats) -> Floats:
        logits = self._logits(x)
        total = np.logaddexp.reduce(logits, axis=2, keepdims=True)
        prior = 0.5 * np.einsum("bp,pq,bq->b", x, self.prior, x)
        return np.asarray(((total - logits) * self.counts).sum(axis=(1, 2)) + prior)

    def slopes(self, x: Floats) -> tuple[Floats, Floats]:
        """(gradient, Hessian)."""
        logits = self._logits(x)
        chances = np.exp(logits - np.logaddexp.reduce(logits, axis=2, keepdims=True))
        num = self.counts.sum(axis=2, keepdims=True)
        gradient = np.einsum("bki,kip->bp", num * chances - self.counts, self.design) + x @ self.prior
        means = np.einsum("bki,kip->bkp", chances, self.design)
        squares = np.einsum("bki,kip,kiq->bpq", num * chances, self.design, self.design, optimize=True)
        return gradient, squares - np.einsum("bkp,bkq->bpq", num * means, means, optimize=True) + self.prior

    def optimum(self, x: Floats) -> Floats:
        """Damped Newton steps from `x`; a log nu at a bound stays there while the loss falls beyond it."""
        low, high = (np.full(x.shape[1], end) for end in (-np.inf, np.inf))
        low[self.num_models :], high[self.num_models :] = LOG_NU
        enough = _FLAT * (1.0 + self.counts.sum(axis=(1, 2)))
        for _ in range(_MAX_STEPS):
            gradient, hessian = self.slopes(x)
            is_fixed = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
            gradient = np.where(is_fixed, 0.0, gradient)
            if not np.all(np.isfinite(gradient)):
                break
            if np.all(np.abs(gradient).max(axis=1) <= enough):
                return x
            hessian = np.where(is_fixed[:, :, None] | is_fixed[:, None, :], 0.0, hessian)
            each = np.arange(x.shape[1])
            hessian[:, each, each] += np.where(is_fixed, 1.0, 1e-9)
            step: Floats = np.linalg.solve(hessian, gradient[..., None])[..., 0].astype(np.float64)
            x = self._nearer(x, step, low, high)
        raise ArithmeticError("no abilities are found: the verdicts are too extreme for the model")

    def _nearer(self, x: Floats, step: Floats, low: Floats, high: Floats) -> Floats:
        """As far along `step` as the loss does not rise, whole, half, a quarter ..."""
        before, share = self.loss(x), np.ones((len(x), 1))
        for _ in range(_MAX_HALVINGS):
            then = np.clip(x - share * step, low, high)
            is_worse = self.loss(then) > before + 1e-12 * (1.0 + np.abs(before))
            if not is_worse.any():
                return np.asarray(then)
            share[is_worse] /= 2
        return np.asarray(np.where(is_worse[:, None], x, then))
