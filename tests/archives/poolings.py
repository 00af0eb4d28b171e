"""Poolings of any windows over images as they lie: tests/fusion/window_pool_test.cpp says which of them are kernels."""

import torch
from torch.nn import functional as F

from registry import archive, traced


def images(*sizes):
    """With NaN, infinities and equal maxima, in float32."""
    x = (torch.randn(sizes) * 3).round() / 2
    x.view(-1)[11::197] = float("nan")
    x.view(-1)[13::101] = float("inf")
    x.view(-1)[17::89] = -float("inf")
    return x


def over(function, *sizes):
    """One archive of a function over images with their pixels innermost, with their channels innermost, and without a
    batch."""
    x = images(*sizes)

    def forward(x):
        views = [x, x.to(memory_format=torch.channels_last), x[1], x[:, ::2]]
        return tuple(y for view in views for y in function(view))

    return traced(forward, x)


@archive
def averages():
    def pool(x):
        return (
            F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
            F.avg_pool2d(x, 3, 1, 1),
            F.avg_pool2d(x, (2, 3), (2, 1), (1, 0), ceil_mode=True),
            F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
            F.avg_pool2d(x, 4, 3, ceil_mode=True),
            F.avg_pool2d(x, 2, divisor_override=3),
            F.avg_pool2d(x, 5, 4, 2, ceil_mode=True, divisor_override=7),
            F.avg_pool2d(x, (7, 9)),
        )

    return over(pool, 2, 40, 9, 21)


@archive
def averages_of_large_images():
    def pool(x):
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), F.avg_pool2d(x, 2), F.avg_pool2d(x, 31, 7, 3)

    return over(pool, 2, 3, 67, 130)


@archive
def maxima():
    def pool(x):
        return (
            F.max_pool2d(x, 3, 1, 1),
            F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
            F.max_pool2d(x, (2, 5), (1, 3), (1, 2)),
            F.max_pool2d(x, 2, dilation=2),
            *F.max_pool2d(x, 3, 2, return_indices=True),
            *F.max_pool2d(x, 2, 2, 1, ceil_mode=True, return_indices=True),
        )

    return over(pool, 2, 35, 9, 22)


@archive
def adaptive():
    def pool(x):
        return (
            F.adaptive_avg_pool2d(x, (3, 4)),
            F.adaptive_avg_pool2d(x, (9, 7)),
            F.adaptive_avg_pool2d(x, (20, 30)),
            F.adaptive_avg_pool2d(x, 1),
            F.adaptive_max_pool2d(x, (3, 4)),
            F.adaptive_max_pool2d(x, (3, 5)) + 1,
            F.adaptive_max_pool2d(x, 1),
            *F.adaptive_max_pool2d(x, (4, 6), return_indices=True),
            *F.adaptive_max_pool2d(x, 1, return_indices=True),
        )

    return over(pool, 2, 12, 9, 15)


def with_ties(*sizes):
    """With windows of equal maxima, of several NaN, and of nothing but -inf."""
    x = (torch.randn(sizes) * 2).round()
    x[..., :3, 2:7] = float("nan")
    x[..., 4:, 8:14] = -float("inf")
    x.view(-1)[11::31] = float("nan")
    return x


@archive
def places():
    """Where maxima stand: the first of equal ones, the last of NaN."""

    def pool(x):
        windows = ((3, 2, 1), (2, 1, 0), ((3, 2), (2, 1), (1, 0), (2, 3)))
        pooled = [y for window in windows for y in F.max_pool2d(x, *window, ceil_mode=True, return_indices=True)]
        for size in ((4, 6), (2, 17), 1):
            pooled += F.adaptive_max_pool2d(x, size, return_indices=True)
        return (*pooled, F.max_pool2d(x, 2, return_indices=True)[1])

    x = with_ties(2, 6, 9, 19)

    def forward(x):
        views = [x, x.to(memory_format=torch.channels_last), x[1], x.bfloat16(), x.double()]
        return tuple(y for view in views for y in pool(view))

    return traced(forward, x)


@archive
def places_in_signals():
    def forward(x):
        results = []
        for y in (x, x[0], x.transpose(1, 2).contiguous().transpose(1, 2), x.half()):
            results += F.max_pool1d(y, 3, 2, 1, return_indices=True)
            results += F.max_pool1d(y, 2, 3, 0, 4, ceil_mode=True, return_indices=True)
            results += F.adaptive_max_pool1d(y, 7, return_indices=True)
        return tuple(results)

    return traced(forward, with_ties(2, 6, 37))


@archive
def tokens_as_images():
    """Tokens, channels innermost, seen as one image: LibTorch pools it into one with pixels innermost."""

    def forward(x):
        image = x.transpose(1, 2).reshape(1, 24, 9, 8) if x.size(0) == 1 else x
        return F.adaptive_avg_pool2d(image, 7), F.avg_pool2d(image, 3, 2, 1), torch.relu(F.max_pool2d(image, 3, 2, ceil_mode=True))

    return traced(forward, images(1, 72, 24))


@archive
def past_the_end():
    """Averages whose last windows reach past the padding, which then counts no further."""

    def forward(x, y):
        results = []
        for z in (x, x.transpose(1, 2).contiguous().transpose(1, 2), x.half(), x.double()):
            results += [F.avg_pool1d(z, 4, 3, 1, ceil_mode=True), F.avg_pool1d(z, 3, 5, 1, ceil_mode=True)]
            results += [F.adaptive_avg_pool1d(z, 7), F.adaptive_avg_pool1d(z, 50)]
        for z in (y, y.to(memory_format=torch.channels_last), y.bfloat16(), y.double()):
            results += [F.avg_pool2d(z, (2, 3), (2, 4), (1, 0), ceil_mode=True)]
            results += [torch.relu(F.avg_pool2d(z, 5, 4, 2, ceil_mode=True))]
        return tuple(results)

    return traced(forward, images(2, 6, 38), images(2, 5, 11, 22))


@archive
def signals():
    def forward(x):
        results = []
        for y in (x, x[0], x.transpose(1, 2).contiguous().transpose(1, 2), x[:, :, ::2]):
            results += [F.avg_pool1d(y, 3, 1, 1), F.avg_pool1d(y, 4, 3, 1, ceil_mode=True, count_include_pad=False)]
            results += [F.max_pool1d(y, 3, 2, 1), F.adaptive_avg_pool1d(y, 7), F.adaptive_max_pool1d(y, 5)]
        return tuple(results)

    return traced(forward, images(2, 6, 37))


@archive
def other_dtypes():
    def forward(x):
        results = []
        for dtype in (torch.float64, torch.bfloat16):
            y = x.to(dtype)
            results += [F.avg_pool2d(y, 3, 2, 1), F.adaptive_max_pool2d(y, 2), F.adaptive_avg_pool2d(y, (2, 3))]
        return tuple(results)

    return traced(forward, images(1, 3, 8, 8))


@archive
def between_kernels():
    """Pools whose neighbours fuse, as in a mixer of tokens."""

    def forward(x):
        y = F.group_norm(x, 1)
        y = x + (F.avg_pool2d(y, 3, 1, 1, count_include_pad=False) - y) * 0.5
        return F.relu(F.adaptive_max_pool2d(y, 1)) + F.adaptive_avg_pool2d(y, 1), y

    return traced(forward, torch.randn(2, 12, 7, 7))
