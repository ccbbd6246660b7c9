"""Elo of models from verdicts on pairs of edits: Davidson's model of ties, jointly over several dimensions.

Every model has one ability theta over all dimensions, every dimension its own inclination nu to ties:

    P(A wins) : P(B wins) : P(tie)  =  exp(a) : exp(b) : 2 nu exp((a + b) / 2)

Fitted is the likelihood with a normal prior on theta (precision 1); a dimension with fewer verdicts counts as much as
one with many. Elo = 1000 + theta * 400 / ln 10, where the mean of theta is 0. So does GEditBench v2 (arXiv 2603.28547),
but for one thing: its prior is about the last model by name instead of the mean, so that its Elo depends on names.
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
_SMALLEST_RATE = 1e-6


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """Which of two models made the better edit."""

    a: str
    b: str
    won: float  # 1.0: `a`; 0.0: `b`; 0.5: neither


@dataclass(frozen=True, slots=True)
class _Dimension:
    """Its verdicts as numbers of models, and what each of them says: a, b or tie, as a column of ones and zeros."""

    pairs: NDArray[np.intp]  # (verdicts, 2)
    said: Floats  # (verdicts, 3)
    weight: float


def elo(dimensions: Sequence[Sequence[PairVerdict]], is_prior_by_name: bool = False) -> dict[str, float]:
    """Elo by model, of all that were compared; nothing without verdicts.

    is_prior_by_name   as published: the prior is about the last model by name

    Raises ArithmeticError if no optimum is found.
    """
    from scipy.optimize import minimize

    used = [rows for rows in dimensions if rows]
    names = sorted({name for rows in used for one in rows for name in (one.a, one.b)})
    if len(names) < 2:
        return dict.fromkeys(names, 1000.0)
    mean = sum(map(len, used)) / len(used)
    known = [_dimension(rows, names, mean / len(rows)) for rows in used]
    free = len(names) - 1

    def loss(params: Floats) -> tuple[float, Floats]:
        theta = np.append(params[:free], 0.0)
        from_prior = theta if is_prior_by_name else theta - theta.mean()
        value, gradient = 0.5 * PRECISION * float(from_prior @ from_prior), PRECISION * from_prior
        by_ties = []
        for log_nu, one in zip(params[free:], known, strict=True):
            added, by_theta, by_nu = _likelihood(theta, float(log_nu), one)
            value, gradient = value + added, gradient + by_theta
            by_ties.append(by_nu)
        return value, np.concatenate([gradient[:free], by_ties])

    rates = np.clip([float(one.said[:, 2].mean()) for one in known], _SMALLEST_RATE, 1 - _SMALLEST_RATE)
    start = np.concatenate([np.zeros(free), np.clip(np.log(rates / (1 - rates)), *LOG_NU)])
    bounds = [(None, None)] * free + [LOG_NU] * len(known)
    found = minimize(loss, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-8})
    if not np.all(np.isfinite(found.x)) or found.status == 1:  # 1: more steps than it may take
        raise ArithmeticError(f"no Elo is found: {found.message}")
    theta = np.append(found.x[:free], 0.0)
    return {
        name: 1000.0 + float(one) * 400 / math.log(10) for name, one in zip(names, theta - theta.mean(), strict=True)
    }


def _dimension(rows: Sequence[PairVerdict], names: Sequence[str], weight: float) -> _Dimension:
    place = {name: number for number, name in enumerate(names)}
    pairs = np.array([(place[one.a], place[one.b]) for one in rows], dtype=np.intp)
    won = np.array([one.won for one in rows])
    said = np.stack([won == 1.0, won == 0.0, won == 0.5], axis=1).astype(np.float64)
    if not np.all(said.sum(axis=1) == 1.0):
        raise ValueError("a verdict is 1.0, 0.0 or 0.5")
    return _Dimension(pairs, said, weight)


def _likelihood(theta: Floats, log_nu: float, one: _Dimension) -> tuple[float, Floats, float]:
    """(what it adds to the loss, its gradient by theta, by log nu)."""
    a, b = theta[one.pairs[:, 0]], theta[one.pairs[:, 1]]
    logits = np.stack([a, b, log_nu + math.log(2.0) + 0.5 * (a + b)], axis=1)
    total = np.logaddexp.reduce(logits, axis=1, keepdims=True)
    excess = one.weight * (np.exp(logits - total) - one.said)
    gradient = np.zeros_like(theta)
    np.add.at(gradient, one.pairs[:, 0], excess[:, 0] + 0.5 * excess[:, 2])
    np.add.at(gradient, one.pairs[:, 1], excess[:, 1] + 0.5 * excess[:, 2])
    return one.weight * float(((total - logits) * one.said).sum()), gradient, float(excess[:, 2].sum())
