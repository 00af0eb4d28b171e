"""Poolings of any windows over volumes as they lie: tests/fusion/window_pool_test.cpp says which of them are kernels."""

import torch
from torch import nn
from torch.nn import functional as F

from poolings import images
from registry import archive, traced


def over(function, *sizes):
    """One archive of a function over volumes with their pixels innermost, with their channels innermost, and without
    a batch; and of what is no dense volume."""
    x = images(*sizes)

    def forward(x):
        turned = x.to(memory_format=torch.channels_last_3d)
        return tuple(y for view in (x, turned, x[1], turned[1], x[:, ::2]) for y in function(view))

    return traced(forward, x)


@archive
def averages():
    def pool(x):
        return (
            F.avg_pool3d(x, 3, 1, 1, count_include_pad=False),
            F.avg_pool3d(x, 3, 1, 1),
            F.avg_pool3d(x, (2, 3, 2), (1, 2, 1), (1, 0, 1), ceil_mode=True),
            F.avg_pool3d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
            F.avg_pool3d(x, 4, 3, ceil_mode=True),
            F.avg_pool3d(x, 2),
            F.avg_pool3d(x, 2, divisor_override=3),
            F.avg_pool3d(x, 5, 4, 2, ceil_mode=True, divisor_override=7),
            F.avg_pool3d(x, (5, 7, 19)),
            F.avg_pool3d(x, (5, 1, 1), 1, (2, 0, 0)),
        )

    return over(pool, 2, 13, 5, 7, 19)


@archive
def maxima():
    def pool(x):
        return (
            F.max_pool3d(x, 2),
            F.max_pool3d(x, 3, 1, 1),
            F.max_pool3d(x, 3, 2, 1, ceil_mode=True),
            F.max_pool3d(x, (2, 1, 5), (1, 2, 3), (1, 0, 2)),
            F.max_pool3d(x, 2, dilation=2),
        )

    return over(pool, 2, 11, 5, 7, 22)


@archive
def adaptive():
    def pool(x):
        return (
            F.adaptive_avg_pool3d(x, (2, 3, 4)),
            F.adaptive_avg_pool3d(x, (6, 9, 5)),
            F.adaptive_avg_pool3d(x, (2, 3, 5)),
            F.adaptive_avg_pool3d(x, 1),
            F.adaptive_avg_pool3d(x, (None, 1, 1)),
            F.adaptive_max_pool3d(x, (2, 3, 4)),
            F.adaptive_max_pool3d(x, (6, 3, 5)) + 1,
            F.adaptive_max_pool3d(x, 1),
        )

    return over(pool, 2, 12, 6, 9, 15)


def with_ties(*sizes):
    """With windows of equal maxima, of several NaN, and of nothing but -inf."""
    x = (torch.randn(sizes) * 2).round()
    x[..., :3, :3, 2:7] = float("nan")
    x[..., 4:, 4:, 8:14] = -float("inf")
    x.view(-1)[11::31] = float("nan")
    return x


@archive
def places():
    """Where maxima stand: the first of equal ones, the last of NaN."""

    def pool(x):
        windows = ((3, 2, 1), (2, 2, 0), ((3, 2, 1), (2, 1, 3), (1, 0, 0), (1, 2, 3)))
        pooled = [y for window in windows for y in F.max_pool3d(x, *window, ceil_mode=True, return_indices=True)]
        for size in ((2, 4, 6), (6, 2, 17), 1):
            pooled += F.adaptive_max_pool3d(x, size, return_indices=True)
        return (*pooled, F.max_pool3d(x, 2, return_indices=True)[1])

    x = with_ties(2, 5, 6, 9, 19)

    def forward(x):
        views = [x, x.to(memory_format=torch.channels_last_3d), x[1], x.bfloat16(), x.double()]
        return tuple(y for view in views for y in pool(view))

    return traced(forward, x)


@archive
def places_of_many_channels():
    def forward(x):
        turned = x.to(memory_format=torch.channels_last_3d)
        return (*F.max_pool3d(turned, 3, 2, 1, return_indices=True), *F.max_pool3d(turned, 2, return_indices=True))

    return traced(forward, with_ties(1, 16, 6, 9, 19))


@archive
def other_dtypes():
    def forward(x):
        results = []
        for dtype in (torch.float64, torch.bfloat16):
            y = x.to(dtype)
            results += [F.max_pool3d(y, 2), F.adaptive_avg_pool3d(y, (2, 3, 1)), F.avg_pool3d(x.double(), 3, 2, 1)]
        return tuple(results)

    return traced(forward, images(1, 3, 4, 8, 8))


class Between(nn.Module):
    """Poolings whose image a convolution leaves with its channels innermost."""

    def __init__(self, pool):
        super().__init__()
        self.before, self.after, self.pool = nn.Conv3d(3, 16, 3, padding=1), nn.Conv3d(16, 8, 1), pool

    def forward(self, x):
        y = self.pool(F.relu(self.before(x)))
        return self.after(y), y


def between(*pools):
    """One archive of several."""
    modules = nn.ModuleList(Between(pool) for pool in pools)

    class All(nn.Module):
        def __init__(self):
            super().__init__()
            self.modules_ = modules

        def forward(self, x):
            return tuple(y for module in self.modules_ for y in module(x))

    return traced(All(), torch.randn(1, 3, 6, 9, 11))


@archive
def between_convolutions():
    return between(
        nn.MaxPool3d(2),
        nn.MaxPool3d(3, 2, 1, ceil_mode=True),
        nn.AvgPool3d(2),
        nn.AvgPool3d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        nn.AvgPool3d(3, 2, 1, ceil_mode=True),
        nn.AvgPool3d(2, divisor_override=3),
        nn.AdaptiveAvgPool3d((3, 3, 11)),
        nn.AdaptiveAvgPool3d((4, 5, 6)),
        nn.AdaptiveAvgPool3d(1),
        nn.AdaptiveMaxPool3d((4, 5, 6)),
        nn.AdaptiveMaxPool3d(1),
    )


@archive
def local_response():
    """Averages over neighbouring channels, as local response norm takes them."""

    def forward(x):
        return F.local_response_norm(x, 5), F.local_response_norm(x[0], 2), F.local_response_norm(x.unsqueeze(2), 3)

    return traced(forward, images(2, 10, 7, 7))
