"""Writes in place: to whole values and to parts of them, which other values may share.

Each row: what it needs of the value that it writes to, and its call.
"""

import torch

from drawing import broadcast, dims, every, few

ALONE = (
    lambda p: p.tanh_(),
    lambda p: p.relu_(),
    lambda p: p.mul_(0.5),
    lambda p: p.clamp_(-1, 1),
    lambda p: p.zero_(),
    lambda p: p.fill_(0.7),
    lambda p: p.neg_(),
    lambda p: p.sigmoid_(),
    lambda p: p.add_(1),
)
WITH_ANOTHER = (
    lambda p, y: p.add_(y),
    lambda p, y: p.mul_(torch.tanh(y)),
    lambda p, y: p.sub_(y, alpha=0.5),
    lambda p, y: p.copy_(y),
)


def is_target(value):
    """No element lies where another does."""
    return not any(stride == 0 and size > 1 for stride, size in zip(value.stride(), value.shape))


def part(d, t):
    if t.dim() == 0 or d.chance(0.5):
        return t
    axis, kind = d.axis(t), d.random.randrange(3)
    size = t.size(axis)
    if kind == 0:
        return t.select(axis, d.random.randrange(size))
    if kind == 1 and size > 1:
        first = d.random.randrange(size - 1)
        return t.narrow(axis, first, d.random.randrange(1, size - first + 1))
    return t[(slice(None),) * axis + (slice(None, None, 2),)]


def with_another(d, t):
    p = part(d, t)
    fitting = [v for v in d.values if v.is_floating_point() and broadcast(v, p) == tuple(p.shape)]
    if not fitting:
        return p.mul_(0.5)
    y = d.random.choice(fitting)
    if y.untyped_storage().data_ptr() == p.untyped_storage().data_ptr():
        y = y.clone()  # what a write reads of the memory that it writes to is open
    return d.one_of(*WITH_ANOTHER)(p, y)


def masked(d, t):
    p = part(d, t)
    return p.masked_fill_(p > 0.5, 0.5) if d.chance(0.5) else p.masked_fill_(d.mask(p), 0.1)


def first_of_axis(d, t):
    p = t.narrow(d.axis(t), 0, 1)
    p.copy_((p * 2).tanh())
    return t


def by_index(d, t):
    t[d.listed(0, t.size(0) - 1)] = 0.3
    return t


def added_by_index(d, t):
    if d.dtype.itemsize == 2:
        return None  # as sums_by_index in layers.py
    rows = t.narrow(0, 0, 1).expand(3, *t.shape[1:]).clone() * 0.1
    return t.index_add_(0, d.listed(0, t.size(0) - 1, 0), rows)


def added_to_diagonal(d, t):
    t.diagonal(0, -2, -1).add_(1)
    return t


def filled_diagonal(d, t):
    return t.fill_diagonal_(0.5) if t.dim() == 2 or len(set(t.shape)) == 1 else None


def written_after_its_copy(d, t):
    copy = torch.cat([t, t * 2], 0)
    t.mul_(0.5)
    return copy


WRITES = (
    (dims(0), with_another),
    (dims(0), lambda d, t: d.one_of(*ALONE)(part(d, t))),
    (dims(0), masked),
    (dims(1), first_of_axis),
    (dims(1), by_index),
    (dims(1), added_by_index),
    (dims(2), added_to_diagonal),
    (dims(2), filled_diagonal),
    (every(dims(1), few(20000)), written_after_its_copy),
)
