"""Operators with parameters that the archive holds, products, losses and sums by index. Rows as in operators.py."""

import torch
from torch.nn import functional as F

from drawing import dims, every, few, last


def is_image(x):
    return x.dim() == 4 and min(x.shape[-2:]) >= 3


def linear(d, x):
    n, k = d.one_of(1, 3, 4, 7, 8, 16, 33, 160, 256), x.size(-1)
    return F.linear(x, d.constant(n, k, scale=k**-0.5), d.one_of(None, d.constant(n)))


def product(d, x):
    y = d.value(lambda v: v.dim() == x.dim() and v.size(-1) == x.size(-1) and v.shape[:-2] == x.shape[:-2])
    return torch.matmul(x.tanh(), y.transpose(-1, -2)) * x.size(-1) ** -0.5


def einsum(d, x):
    y = d.value(lambda v: v.dim() == 2 and v.size(1) == x.size(1))
    return torch.einsum("ij,kj->ik", x.tanh(), y) * x.size(1) ** -0.5


def attention(d, x):
    y = d.value(lambda v: v.dim() == 3 and v.size(-1) == x.size(-1) and v.size(0) == x.size(0))
    return F.scaled_dot_product_attention(x, y, y)


def convolution(d, x):
    n, c = d.one_of(4, 8, 16, 24, 64), x.size(1)
    weight = d.constant(n, c, 3, 3, scale=(9 * c) ** -0.5)
    return F.conv2d(x, weight, d.constant(n), padding=1, stride=d.one_of(1, 1, 2))


def convolution_1d(d, x):
    n, k = d.one_of(4, 8), d.one_of(1, 3)
    return F.conv1d(x, d.constant(n, x.size(1), k, scale=(k * x.size(1)) ** -0.5), d.constant(n), padding=k // 2)


def depthwise(d, x):
    c = x.size(1)
    return F.conv2d(x, d.constant(c, 1, 3, 3, scale=0.3), None, padding=1, groups=c)


def transposed_convolution(d, x):
    return F.conv_transpose2d(x, d.constant(x.size(1), 4, 2, 2, scale=x.size(1) ** -0.5), None, stride=2)


PRODUCTS = (
    (dims(1), linear),
    (dims(2), product),
    (dims(2, 2), einsum),
    (dims(3, 3), attention),
    (is_image, convolution),
    (is_image, depthwise),
    (every(dims(3, 3), last(least=3)), convolution_1d),
    (every(dims(4, 4), few(20000)), transposed_convolution),
)


def batch_norm(d, x):
    c = x.size(1)
    return F.batch_norm(x, d.constant(c), d.constant(c).abs() + 0.5, d.constant(c), d.constant(c))


def layer_norm(d, x):
    n = x.size(-1)
    return F.layer_norm(x, (n,), d.constant(n), d.constant(n), eps=d.one_of(1e-5, 0.1))


def rms_norm(d, x):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + d.one_of(1e-3, 0.1)) * d.constant(x.size(-1))


def group_norm(d, x):
    c = x.size(1)
    return F.group_norm(x, 2, d.constant(c), d.one_of(None, d.constant(c)), eps=d.one_of(1e-5, 0.1))


def rotary(d, x):
    a, b = x.chunk(2, -1)
    angles = d.constant(x.size(-1))
    return x * angles.cos() + torch.cat([-b, a], -1) * angles.sin()


NORMS = (
    (last(least=2), layer_norm),
    (last(), rms_norm),
    (dims(2, 4), batch_norm),
    (lambda x: x.dim() >= 3 and x.size(1) % 2 == 0, group_norm),
    (last(even=True), lambda d, x: F.glu(x, -1)),
    (last(even=True), rotary),
    (dims(1), lambda d, x: F.prelu(x, d.constant(1))),
)


def doubled(d, x):
    return F.interpolate(x, scale_factor=2, mode=d.one_of("nearest", "bilinear"))


IMAGES = (
    (lambda x: x.dim() == 4 and min(x.shape[-2:]) >= 2, lambda d, x: d.one_of(F.max_pool2d, F.avg_pool2d)(x, 2)),
    (every(dims(4, 4), few(20000)), doubled),
)


def classes(x):
    """The dimension of the classes of a loss, and the shape of its targets."""
    return (0, ()) if x.dim() == 1 else (1, (x.size(0), *x.shape[2:]))


def cross_entropy(d, x):
    axis, rows = classes(x)
    weight = d.constant(x.size(axis)).abs() + 0.1 if d.chance(0.4) else None
    smoothing = d.one_of(0.0, 0.0, 0.1)
    if d.chance(0.3):
        with torch._C.DisableTorchFunction():
            target = torch.softmax(d.constant(*x.shape).float(), axis).to(d.dtype)
    else:
        target = d.indices(x.size(axis), *rows)
        if d.chance(0.3):
            return F.cross_entropy(x, target, weight, ignore_index=0, reduction="sum", label_smoothing=smoothing)
    return F.cross_entropy(x, target, weight, reduction=d.one_of("none", "mean", "sum"), label_smoothing=smoothing)


def negative_log_likelihood(d, x):
    target = d.indices(x.size(1), *classes(x)[1])
    return F.nll_loss(F.log_softmax(x, 1), target, reduction=d.one_of("none", "sum"))


def poisson(d, x):
    counts = d.partner(x, within=True).abs().expand(x.shape)
    return F.poisson_nll_loss(x.tanh(), counts, full=d.chance(0.3), reduction=d.one_of("none", "mean"))


def multi_margin(d, x):
    if d.dtype.itemsize == 2:
        return None  # LibTorch has none of halves
    target = d.indices(x.size(1), x.size(0))
    return F.multi_margin_loss(x, target, p=d.one_of(1, 2), reduction=d.one_of("none", "mean"))


LOSSES = (
    (dims(1, 4), cross_entropy),
    (dims(1, 4), cross_entropy),
    (dims(2, 4), negative_log_likelihood),
    (dims(1, 4), poisson),
    (dims(2, 2), multi_margin),
)


def sums_by_index(d, x):
    if d.dtype.itemsize == 2:
        return None  # in which order sums round is open on a GPU, and of halves it shows
    zeros = torch.zeros((5, *x.shape[1:]), dtype=x.dtype)
    return zeros.index_add(0, d.indices(5, x.size(0)), x)


BY_INDEX = ((dims(1), sums_by_index),)
