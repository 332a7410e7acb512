"""Chi-squared's upper tail: what the squared deviations of a Gaussian's rows sum to."""

import math

LEAST_SHARE = 1e-200
"""Smaller shares would underflow."""


def upper_quantile(share: float, d: int) -> float:
    """Return what chi-squared with d degrees of freedom exceeds with a probability.

    Newton's steps on the tail's logarithm, from Wilson and Hilferty's approximation (PNAS 17, 1931)
    or, where that is less, Laurent and Massart's bound (Annals of Statistics 28, 2000, eq. 4.3).

    Parameters
    ----------
    share : float in (0, 0.5]
        Probability; taken for 1e-200 where it is less.
    d : int
        Degrees of freedom, from 1 on.
    """
    from statistics import NormalDist  # Not at the top: few need it, and it takes milliseconds.

    share, a, h = max(share, LEAST_SHARE), d / 2, 2 / (9 * d)
    t = -math.log(share)
    approximation = a * (1 - h - NormalDist().inv_cdf(share) * math.sqrt(h)) ** 3
    half = min(approximation, a + math.sqrt(2 * a * t) + t)
    for _ in range(20):
        log_density, ratio = _tail(half, a)
        step = (log_density + math.log(ratio / share)) * ratio
        half += step
        if abs(step) <= 1e-15 * half:
            break
    return 2 * half


def _tail(x: float, a: float) -> tuple[float, float]:
    """Return the gamma density's logarithm at x, and Q(a, x) over the density, for a whole 2 a.

    Q(a, x) = Q(a - 1, x) + x^(a - 1) e^-x / gamma(a), down to Q(1/2, x) = erfc(sqrt x) or
    Q(0, x) = 0: Abramowitz and Stegun (1964), eq. 6.5.21 and 6.5.17. All terms are positive.
    """
    log_density = (a - 1) * math.log(x) - x - math.lgamma(a)
    term, total, k = 1.0, 0.0, a - 1
    while k >= 0 and term > 1e-18 * total:
        total += term
        term *= k / x
        k -= 1
    if k == -0.5:
        total += math.erfc(math.sqrt(x)) * math.exp(-log_density)
    return log_density, total
