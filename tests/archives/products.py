"""Products and what follows them; tests/cuda_plans/products_test.cpp has the steps that each becomes."""

import torch
from torch import nn
from torch.nn import functional as F

from models import Wrap
from registry import archive, traced


class Feeds(nn.Module):
    """A feed-forward layer with a residual."""

    def __init__(self, activation, width=24, inner=40, bias=True):
        super().__init__()
        self.up, self.down = nn.Linear(width, inner, bias=bias), nn.Linear(inner, width, bias=bias)
        self.activation = activation

    def forward(self, x):
        return x + self.down(self.activation(self.up(x)))


@archive
def gelu_and_residual():
    return traced(Feeds(nn.GELU(approximate="tanh")), torch.randn(2, 5, 24) * 3)


@archive
def gelu_with_erf_and_residual():
    return traced(Feeds(nn.GELU(), bias=False), torch.randn(2, 5, 24) * 3)


@archive
def residual_and_norm():
    class Normalises(nn.Module):
        def __init__(self):
            super().__init__()
            self.feeds, self.norm = Feeds(nn.ReLU()), nn.LayerNorm(24)

        def forward(self, x):
            return self.norm(self.feeds(x))

    return traced(Normalises(), torch.randn(2, 5, 24))


@archive
def written_out():
    def forward(x, w, b, y):
        scaled = torch.relu((x @ w[0]) / 3 + y[:, ::2, 1:])
        rows = F.gelu(b + x @ w[1], approximate="tanh"), torch.mul(x @ w[2], 0.25) - b
        return scaled, rows, (x @ w[3]) + 2 * y[:, 1::2, 1:]

    return traced(Wrap(forward), torch.randn(2, 5, 8), torch.randn(4, 8, 6), torch.randn(6), torch.randn(2, 10, 7))


@archive
def batched_residuals():
    def forward(x, y, z, w):
        a = torch.matmul(x.transpose(1, 2), y[0]) * 0.125 + z
        return a, torch.bmm(x[:, :, 0], x[:, :, 1].mT) * 2 + w, torch.matmul(x.transpose(1, 2), y[1]) + z[:1]

    inputs = torch.randn(2, 5, 3, 8), torch.randn(2, 2, 3, 8, 6), torch.randn(2, 5, 3, 6).transpose(1, 2)
    return traced(Wrap(forward), *inputs, torch.randn(5, 5).expand(2, 5, 5))


def three_products(dtype):
    def forward(x, w, y):
        return torch.relu(x @ w[0]), x @ w[1] * 0.5 + y, F.gelu(x @ w[2], approximate="tanh")

    return traced(Wrap(forward), *[t.to(dtype) for t in (torch.randn(5, 8), torch.randn(3, 8, 6), torch.randn(5, 6))])


@archive
def doubles():
    return three_products(torch.float64)


@archive
def halves():
    return three_products(torch.float16)


@archive
def no_numbers():
    def forward(x, w, y):
        a = x @ w[0] * 0 + y, torch.relu(x @ w[1] / 0 + y)
        return a + (F.gelu(x @ w[2] * float("inf"), approximate="tanh"), torch.relu(x @ w[3] * 2 + y))

    x = torch.randn(5, 8)
    x[0, 0], x[1, 1] = float("inf"), float("nan")
    return traced(Wrap(forward), x, torch.randn(4, 8, 6), torch.randn(5, 6))


@archive
def results_that_others_read():
    def forward(x, w, y):
        product = x @ w
        first = product * 0.5
        y.add_(1)
        return product + y, first, torch.relu(first + y)

    return traced(Wrap(forward), torch.randn(5, 8), torch.randn(8, 6), torch.randn(5, 6))
