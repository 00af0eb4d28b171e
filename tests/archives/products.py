"""Products and what follows them; tests/cuda_plans/products_test.cpp has the steps that each becomes."""

import torch
from torch import nn
from torch.nn import functional as F

from models import Wrap
from registry import archive, scripted, traced


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


class Attends(nn.Module):
    """Attention with a projection each for queries, keys and values."""

    def __init__(self, width=64, heads=2, scales=False):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=not scales) for _ in range(4))
        self.heads, self.scales = heads, scales

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (project(x).view(b, t, self.heads, -1).transpose(1, 2) for project in (self.q, self.k, self.v))
        if self.scales:
            weights = torch.softmax((q * 0.2) @ k.transpose(-1, -2), -1)
            return x + self.o((weights @ v).transpose(1, 2).reshape(b, t, d))
        return x + self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))


@archive
def query_key_value():
    return traced(Attends(), torch.randn(2, 7, 64))


@archive
def scaled_query_key_value_of_small_heads():
    return traced(Attends(heads=8, scales=True), torch.randn(2, 7, 64))


class Gates(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(16, 40, bias=False), nn.Linear(16, 40, bias=False), nn.Linear(40, 16)

    def forward(self, x):
        return x + self.down(F.silu(self.gate(x)) * self.up(x))


@archive
def gated_feeds():
    return traced(Gates(), torch.randn(3, 16))


@archive
def gated_feeds_of_halves():
    return traced(Gates().bfloat16(), torch.randn(2, 3, 16).bfloat16())


@archive
def towers_of_one_input():
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.ModuleList(nn.Linear(16, width) for width in (8, 12, 20))
            self.second = nn.ModuleList(nn.Linear(width, 8) for width in (8, 12, 20))

        def forward(self, x):
            return [second(torch.relu(first(x.T))).tanh() for first, second in zip(self.first, self.second)]

    return traced(Towers(), torch.randn(16, 16))


@archive
def transposed_weights():
    class Projects(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.ParameterList(torch.randn(8, width) for width in (4, 12, 8))
            self.b = nn.ParameterList(torch.randn(width) for width in (4, 12, 8))

        def forward(self, x):
            a, b, c = (torch.addmm(b, x, w) for w, b in zip(self.w, self.b))
            return a.exp(), torch.softmax(b, -1), c.sum(-1), torch.sin(x @ self.w[0]), torch.cos(torch.mm(x, self.w[1]))

    return traced(Projects(), torch.randn(5, 8))


@archive
def layers_over_merged_ones():
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x):
            a, b = self.a(x), self.b(x)
            c, d = self.c(a), self.d(a)
            return torch.cat([c, d, b], -1), torch.flip(b, [1]), b.amax(1), x

    return traced(Layers(), torch.randn(2, 5, 8))


@archive
def results_that_leave():
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d, self.e = (nn.Linear(8, width) for width in (4, 4, 8, 6, 8))

        def forward(self, x, y):
            written = self.b(x)
            written[:, 0] = 1
            return self.a(x), written, self.c(x) + y, torch.relu(self.d(x)), self.e(x).sin()

    return traced(Heads(), torch.randn(5, 8), torch.randn(5, 8))


class Bytes(nn.Module):
    """A linear layer with weights of int8, one scale a row."""

    def __init__(self, dtype):
        super().__init__()
        self.register_buffer("weight", torch.randint(-128, 128, (320, 256), dtype=torch.int8))
        self.register_buffer("scale", (torch.rand(320) / 256).to(dtype))

    def forward(self, x):
        return F.linear(x, self.weight.to(x.dtype) * self.scale.unsqueeze(1))


@archive
def weights_of_bytes():
    return traced(Bytes(torch.float32), torch.randn(3, 256))


@archive
def weights_of_bytes_for_halves():
    return scripted(nn.Sequential(Bytes(torch.float16), nn.ReLU()), torch.rand(3, 256).half())


@archive
def weights_of_bytes_of_one_row():
    class Layers(nn.Module):
        """Signed bytes with a bias, unsigned ones with zero points, and both ways to multiply."""

        def __init__(self, dtype):
            super().__init__()
            self.first, self.bias = Bytes(dtype), nn.Parameter(torch.randn(320, dtype=dtype))
            self.register_buffer("weight", torch.randint(0, 256, (304, 320), dtype=torch.uint8))
            self.register_buffer("zero", torch.randint(96, 160, (304, 1), dtype=torch.uint8))
            self.register_buffer("scale", (torch.rand(304, 1) / 512).to(dtype))

        def widened(self, x):
            return (self.weight.to(x.dtype) - self.zero) * self.scale

        def forward(self, x):
            y = F.gelu(F.linear(x, self.first.weight.to(x.dtype) * self.first.scale[:, None], self.bias))
            return torch.addmm(self.bias[:304], y[0], self.widened(x).t()), y @ self.widened(x).t() + x[..., :1]

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.floats, self.halves = Layers(torch.float32), Layers(torch.bfloat16)

        def forward(self, x):
            return self.floats(x), self.halves(x.bfloat16())

    return traced(Both(), torch.randn(1, 1, 256))


@archive
def weights_of_bytes_of_more_rows():
    return traced(Bytes(torch.float32), torch.randn(5, 256))


@archive
def weights_of_packed_bytes():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.randint(0, 256, (256, 256), dtype=torch.uint8))
            self.register_buffer("scale", torch.rand(256, 1) / 256)

        def forward(self, x):
            pairs = torch.stack([self.weight & 15, self.weight >> 4], -1).view(256, 512)
            return x @ ((pairs.to(torch.float32) - 8) * self.scale).t()

    return traced(Packed(), torch.randn(3, 512))


@archive
def matrices_of_the_call():
    """Neither operand is a weight: rows, columns, broadcast batches, single rows and columns, NaN and infinities."""

    def forward(q, k, v, vector):
        scores = q @ k.transpose(-1, -2)
        one = q[:, :, :1] @ k.transpose(-1, -2)
        back = one @ v
        shared = q @ v[0, 0].t()
        column = q @ vector.unsqueeze(-1)
        outer = vector.unsqueeze(-1) @ vector.unsqueeze(0)
        turned = q.transpose(-1, -2) @ k
        layer = F.linear(q, v[0, 1])
        layers = q.transpose(2, 3).matmul(q)[..., 0] + torch.bmm(k[0].transpose(1, 2), k[1])[:, :1].sum(0)
        return scores, back, shared, column, outer, turned, layer, layers, torch.mm(k[0, 0], k[1, 0].t())

    q, k, v = torch.randn(2, 3, 7, 10), torch.randn(2, 3, 7, 10), torch.randn(2, 3, 7, 10)
    k[0, 1, 2, 3], v[1, 2, 3, 4] = float("nan"), float("inf")
    return traced(Wrap(forward), q, k, v, torch.randn(10))


@archive
def rows_of_strides():
    """Layers over a dim that isn't the innermost one in memory, each by a layer of its own too."""

    class Series(nn.Module):
        def __init__(self):
            super().__init__()
            self.trend, self.season = nn.Linear(36, 12), nn.Linear(36, 12, bias=False)
            self.each = nn.ModuleList([nn.Linear(36, 12) for _ in range(5)])

        def forward(self, x):
            last = x[:, -1:]
            y = (x - last).permute(0, 2, 1)
            z = self.trend(y) + self.season(x.permute(0, 2, 1)).relu()
            each = torch.stack([layer(x[:, :, i]) for i, layer in enumerate(self.each)], 1)
            return z.permute(0, 2, 1) + last, each, x[:, ::3, 0] @ self.trend.weight[:, ::3].t()

    return traced(Series(), torch.randn(3, 36, 5))
