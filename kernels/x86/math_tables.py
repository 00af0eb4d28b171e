#!/usr/bin/env python3
"""Writes math_tables.h beside itself: piecewise polynomials of tanh, erf and gelu for 16 lanes.

|x| is cut into 16 pieces around i * width. A piece's centre c is a float whose image is nearly a
float too (Gal's accurate tables), so that f(c) + t Q(t) with t = |x| - c rounds once; piece 0 is
x + x Q(x). The polynomials are least squares over Chebyshev nodes, weighted by t, the coefficients
rounded to float32 one after another from the lowest. Where an absolute error is enough, as of the
normal distribution that gelu multiplies by, centres are i * width, and t is in widths. Needs torch,
no network.
"""
import math
import os
import struct

import torch

PIECES = 16


def f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def literal(value):
    mantissa, exponent = value.hex().split("p")
    return mantissa.rstrip("0").rstrip(".") + "p" + exponent + "f"


def accurate_centre(f, near):
    """The float about `near` whose image is closest to a float, of those tried."""
    start = f32(near)
    ulp = 2.0 ** (math.frexp(start)[1] - 24)
    best = (math.inf, start)
    for k in range(60000):
        for c in (start + k * ulp, start - k * ulp):
            image = f(c)
            best = min(best, (abs(image - f32(image)) / image, c))
        if best[0] < 2.0**-36:
            break
    return best[1]


def coefficients(target, low, high, degrees, scale):
    m = 80
    t = [(low + high) / 2 + (high - low) / 2 * math.cos(math.pi * (j + 0.5) / m) for j in range(m)]
    weight = torch.tensor([abs(u) + 0.05 * scale for u in t], dtype=torch.float64)
    powers = torch.tensor([[(u / scale) ** p for p in degrees] for u in t], dtype=torch.float64)
    rest = torch.tensor([target(u) for u in t], dtype=torch.float64)
    found = [0.0] * (max(degrees) + 1)
    for i, p in enumerate(degrees):
        fit = torch.linalg.lstsq(powers[:, i:] * weight[:, None], (rest * weight)[:, None],
                                 driver="gelsd").solution
        found[p] = f32(fit[0].item() / scale**p)
        rest = rest - powers[:, i] * (found[p] * scale**p)
    return found


def pieces(f, limit, terms, first):
    """Rows of 16: centres, images, then Q's coefficients from the lowest; and the width."""
    width = f32(limit / (PIECES - 1))
    columns = []
    for i in range(PIECES):
        if i == 0:
            q = coefficients(lambda t: (f(t) - t) / t, 0.01 * width, 0.5 * width,
                             range(first, terms), width)
            columns.append([0.0, 0.0] + q)
            continue
        c = f32(limit) if i == PIECES - 1 else accurate_centre(f, i * width)
        low = (i - 0.5) * width - c
        high = min((i + 0.5) * width, limit) - c
        slope = (f(c + 1e-6) - f(c - 1e-6)) / 2e-6
        q = coefficients(lambda t: (f(c + t) - f(c)) / t if abs(t) > 1e-6 else slope, low, high,
                         range(terms), width)
        columns.append([c, f32(f(c))] + q)
    return width, list(zip(*columns))


def declare(name, f, limit, terms, first):
    width, rows = pieces(f, limit, terms, first)
    text = f"inline constexpr Pieces<{terms}> {name} = {{\n    {literal(f32(limit))},\n"
    text += f"    {literal(f32(1 / width))},\n    {{"
    text += ",\n     ".join("{" + ", ".join(literal(v) for v in row) + "}" for row in rows)
    return text + "}};\n"


def declare_even(name, f, per_unit, terms):
    columns = []
    for i in range(PIECES):
        c = i / per_unit
        low, high = (0.01 if i == 0 else -0.5), (0.0 if i == PIECES - 1 else 0.5)
        slope = (f(c + 1e-6) - f(c - 1e-6)) / 2e-6 / per_unit
        q = coefficients(lambda t: (f(c + t / per_unit) - f(c)) / t if abs(t) > 1e-6 else slope,
                         low, high, range(terms), 1.0)
        # What is beyond the limit, however large, is multiplied by exactly that.
        columns.append([0.5 if i == PIECES - 1 else f32(f(c))] + q)
    text = f"inline constexpr EvenPieces<{terms}> {name} = {{\n    {literal(f32((PIECES - 1) / per_unit))},\n"
    text += f"    {literal(f32(per_unit))},\n    {{"
    text += ",\n     ".join("{" + ", ".join(literal(v) for v in row) + "}" for row in zip(*columns))
    return text + "}};\n"


HEADER = """// Written by math_tables.py, which says how; read by math.cpp.
#pragma once

namespace torchweld::x86 {

/// A function on [0, limit] in 16 pieces: rows of centres, images and Q's coefficients.
template <int kTerms>
struct Pieces {
  float limit;
  float pieces_per_unit;
  float rows[kTerms + 2][16];
};

/// The same with pieces around whole numbers of their width: f(c) + t Q(t), t in widths.
template <int kTerms>
struct EvenPieces {
  float limit;
  float pieces_per_unit;
  float rows[kTerms + 1][16];
};

"""

if __name__ == "__main__":
    # Where the functions are 1 in float32, from 9.011 and 3.919 on.
    text = HEADER + declare("kTanhPieces", math.tanh, 9.02, 7, 2)
    text += "\n" + declare("kErfPieces", math.erf, 3.93, 6, 0)
    # Of the normal distribution less 1/2, which is 1/2 in float32 from 5.42 on.
    text += "\n" + declare_even("kNormalPieces", lambda x: math.erf(x / math.sqrt(2)) / 2, 2.75, 5)
    text += "\n}  // namespace torchweld::x86\n"
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "math_tables.h")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
