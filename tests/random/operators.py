"""Operators without parameters: pointwise, along rows, views and moves.

Each row of a table: what it needs of its input, and its call. Values stay near 1 and errors near rounding: factors are
bounded (tanh), divisors away from 0, comparisons select between values that are equal where they flip. Nothing makes a
value of dimensions from one without: a traced number is a float64 tensor, with which LibTorch makes values without
dimensions float64.
"""

import torch
from torch.nn import functional as F

from drawing import dims, every, few, last

ACTIVATIONS = (
    torch.tanh, torch.sigmoid, torch.relu, torch.sin, torch.cos, torch.abs, torch.neg, F.gelu, F.silu, torch.erf, F.elu,
    F.softplus, F.hardswish, F.leaky_relu, lambda x: torch.square(x.tanh()),
)  # fmt: skip
AWAY_FROM_ZERO = (torch.exp, torch.sqrt, torch.rsqrt, torch.log, torch.reciprocal)
BINARY = (torch.add, torch.sub, torch.maximum, torch.minimum)
WITH_NUMBERS = (
    lambda x: x * 0.5,
    lambda x: x + 1,
    lambda x: 2 - x,
    lambda x: x / 3,
    lambda x: x.clamp(-1, 1),
    lambda x: x.clamp(-2, 2) ** 2 * 0.1,
)


def larger(d, x):
    y = d.partner(x)
    return torch.where(x > y, x, y)


def between(d, x):
    y = d.partner(x).abs()
    return torch.minimum(torch.maximum(x, -y), y + 1)


def interpolated(d, x):
    return torch.lerp(x, d.partner(x, within=True).expand(x.shape), 0.3)


def filled(d, x):
    if d.chance(0.5):
        return x.masked_fill(x > 0.5, 0.5)
    return x.masked_fill(d.mask(x), d.one_of(0.0, -1.0, 2.0))


UNARY = (
    (dims(0), lambda d, x: d.one_of(*ACTIVATIONS)(x)),
    (dims(0), lambda d, x: d.one_of(*ACTIVATIONS)(x)),
    (dims(0), lambda d, x: d.one_of(*AWAY_FROM_ZERO)(x.abs().clamp(0.5, 3))),
    (dims(0), lambda d, x: d.one_of(*WITH_NUMBERS)(x)),
)
POINTWISE = (
    (dims(0), lambda d, x: d.one_of(*BINARY)(x, d.partner(x))),
    (dims(0), lambda d, x: d.one_of(torch.add, torch.sub, torch.mul)(torch.tanh(x), d.partner(x))),
    (dims(0), lambda d, x: torch.add(x, d.partner(x), alpha=2)),
    (dims(0), lambda d, x: x / (d.partner(x).abs() + 1)),
    (dims(0), lambda d, x: torch.addcmul(x, d.partner(x), d.partner(x).tanh(), value=0.5)),
    (dims(0), larger),
    (dims(0), between),
    (dims(1), interpolated),
    (dims(0), filled),
    (dims(0), lambda d, x: x.double().float().to(d.dtype)),
    (dims(0), lambda d, x: d.mask(x).to(d.dtype) + x * 0.5),
)


def reduced(d, x):
    axis, keep = d.axis(x), d.chance(0.6)
    name = d.one_of("sum", "mean", "amax", "amin", "var", "logsumexp", "norm")
    if name == "sum":
        return x.sum(axis, keepdim=keep) * 0.2
    if name == "var" and x.size(axis) < 2:
        return None
    return getattr(x, name)(dim=axis, keepdim=keep)


def with_its_index(d, x):
    axis = d.axis(x)
    values, indices = x.max(axis, keepdim=True)
    return values + x.gather(axis, indices) * 0.1


def counted(d, x):
    mask = d.mask(x)
    return x * 0.1 + mask.any(-1, keepdim=True).to(d.dtype) + mask.sum(-1, keepdim=True).to(d.dtype) * 0.1


def gathered(d, x):
    axis = d.axis(x)
    indices = x.argsort(axis) if d.chance(0.5) else d.indices(x.size(axis), *x.shape)
    return x.gather(axis, indices)


ROWS = (
    (dims(1), reduced),
    (dims(1), lambda d, x: d.one_of(F.softmax, F.log_softmax)(x, d.axis(x))),
    (dims(1), lambda d, x: F.normalize(x, dim=d.axis(x), eps=0.5)),
    (dims(1), lambda d, x: x.tanh().cumsum(d.axis(x)) * 0.2),
    (dims(1), with_its_index),
    (dims(1), counted),
    (dims(1), lambda d, x: x.sort(d.axis(x))[0]),
    (dims(1), lambda d, x: x.topk(min(3, x.size(-1)), -1)[0]),
    (dims(0), lambda d, x: x.sum() * 0.1),
    (dims(0), lambda d, x: x.mean()),
    (every(dims(2, 2), few(20000)), lambda d, x: torch.trace(x) * 0.2 if d.dtype.itemsize > 2 else None),
)


def transposed(d, x):
    return x.transpose(*d.random.sample(range(x.dim()), 2))


def permuted(d, x):
    return x.permute(d.random.sample(range(x.dim()), x.dim()))


def narrowed(d, x):
    axis = d.axis(x)
    if x.size(axis) < 2:
        return None
    first = d.random.randrange(x.size(axis) - 1)
    return x.narrow(axis, first, d.random.randrange(1, x.size(axis) - first + 1))


def every_second(d, x):
    return x[(slice(None),) * d.axis(x) + (slice(None, None, 2),)]


def selected(d, x):
    axis = d.axis(x)
    return x.select(axis, d.random.randrange(x.size(axis)))


def flattened(d, x):
    return x.flatten(d.one_of(0, x.dim() - 2)) if d.chance(0.5) else x.reshape(-1, x.size(-1))


VIEWS = (
    (dims(2), transposed),
    (dims(2), permuted),
    (dims(1, 3), lambda d, x: x.unsqueeze(d.axis(x))),
    (dims(4), lambda d, x: x.squeeze()),
    (dims(1), narrowed),
    (dims(1), every_second),
    (dims(1), selected),
    (dims(2), flattened),
    (last(even=True), lambda d, x: x.chunk(2, -1)),
    (dims(1, 3), lambda d, x: x.unsqueeze(0).expand(2, *x.shape)),
    (last(least=3), lambda d, x: x.unfold(-1, 3, 3)),
    (dims(2), lambda d, x: x.diagonal(0, -2, -1)),
)

MOVES = (
    (dims(1), lambda d, x: torch.cat([x, *d.others(x, 3, along=(axis := d.axis(x)))], axis)),
    (dims(1, 3), lambda d, x: torch.stack([x, *d.others(x, 2)], d.random.randrange(x.dim() + 1))),
    (dims(1), lambda d, x: x.flip(d.axis(x))),
    (dims(1), lambda d, x: x.roll(1, d.axis(x))),
    (dims(0), lambda d, x: x.contiguous()),
    (dims(0), lambda d, x: x.clone()),
    (dims(1), lambda d, x: F.pad(x, (1, 2)) if x.dim() < 4 else F.pad(x, (1, 1, 1, 0))),
    (every(dims(1), few(20000)), lambda d, x: x.repeat_interleave(2, d.axis(x))),
    (every(dims(1), few(20000)), lambda d, x: x.repeat(2, *[1] * (x.dim() - 1))),
    (dims(1), lambda d, x: x.index_select((axis := d.axis(x)), d.indices(x.size(axis), d.random.randrange(1, 6)))),
    (dims(1), gathered),
    (dims(1), lambda d, x: torch.take(x, d.indices(x.numel(), 3, 4))),
    (dims(2), lambda d, x: d.one_of(torch.tril, torch.triu)(x, d.one_of(-1, 0, 1))),
    (every(dims(1, 2), last(most=40)), lambda d, x: torch.diag_embed(x, d.one_of(0, 0, 1, -1))),
    (every(dims(1, 2), few(2000)), lambda d, x: torch.diag(x, d.one_of(0, 0, 1, -1))),
    (dims(2), lambda d, x: torch.diagonal_scatter(x, torch.diagonal(x, 0, -2, -1) * 2 + 1, 0, -2, -1)),
)
