#!/usr/bin/env python3
"""Prints the polynomials of math64.cpp that are no library's: exp, erf, erfc and atan.

Least squares over Chebyshev nodes, weighted so that the function's relative error is what is
small; the coefficients are rounded to float64 one after another from the lowest. Needs mpmath
(which torch brings), no network.
"""
from mpmath import atan, cos, erf, erfc, exp, expm1, log, matrix, mp, mpf, pi, qr_solve, sqrt

mp.dps = 60


def coefficients(target, weight, low, high, terms):
    """From the lowest power on."""
    nodes = [(low + high) / 2 + (high - low) / 2 * cos(pi * (j + mpf(1) / 2) / (4 * terms))
             for j in range(4 * terms)]
    rest = [target(u) for u in nodes]
    found = []
    for power in range(terms):
        a = matrix(len(nodes), terms - power)
        b = matrix(len(nodes), 1)
        for j, u in enumerate(nodes):
            for k in range(power, terms):
                a[j, k - power] = weight(u) * u**k
            b[j] = weight(u) * rest[j]
        found.append(float(qr_solve(a, b)[0][0]))
        rest = [r - mpf(found[-1]) * u**power for r, u in zip(rest, nodes)]
    return found


def declare(name, target, weight, low, high, terms):
    found = coefficients(target, weight, mpf(low), mpf(high), terms)
    worst = max(abs(weight(u) * (target(u) - sum(mpf(c) * u**k for k, c in enumerate(found))))
                for u in (low + (high - low) * (j + mpf(1) / 2) / 2000 for j in range(2000)))
    print(f"{name}: relative error 2^{float(log(worst, 2)):.1f}")
    print("  {" + ", ".join(f"{c:.17g}" for c in reversed(found)) + "}")


def erf_over_x(square):
    return erf(sqrt(square)) / sqrt(square)


def atan_over_x(square):
    return atan(sqrt(square)) / sqrt(square)


def scaled_erfc(t):
    a = 3 * (1 + t) / (1 - t)
    return (1 + 2 * a) * erfc(a) * exp(a * a)


if __name__ == "__main__":
    half = log(2) / 2 * mpf("1.001")
    declare("exp, (exp(r) - 1 - r) / r^2", lambda r: (expm1(r) - r) / r**2, lambda r: r * r, -half,
            half, 10)
    declare("erf, erf(x) / x - 1 of x^2", lambda s: erf_over_x(s) - 1,
            lambda s: 1 / erf_over_x(s), 0, 1, 12)
    declare("erfc, (1 + 2 a) exp(a^2) erfc(a) of (a - 3) / (a + 3)", scaled_erfc,
            lambda t: 1 / scaled_erfc(t), -mpf(1) / 2, mpf(25) / 31, 20)
    declare("atan, (atan(x) / x - 1) / x^2 of x^2", lambda s: (atan_over_x(s) - 1) / s,
            lambda s: s / atan_over_x(s), 0, 1, 20)
