"""What the planner simplifies and fuses: chains, broadcasts, identities, constants, dead code."""

import torch
from torch import nn
from torch.nn import functional as F

from models import ChainMemory, ChainTranscendental, Wrap
from registry import archive, scripted, traced


@archive
def relu_times_two():
    return traced(Wrap(lambda x: torch.relu(x) * 2), torch.randn(4, 5))


@archive
def chain_transcendental():
    return traced(ChainTranscendental(), torch.randn(1 << 20))


@archive
def chain_memory():
    return traced(ChainMemory(), torch.randn(1 << 20))


@archive
def chain_small():
    return scripted(ChainTranscendental(), torch.randn(37))


@archive
def identities():
    class Identities(nn.Module):
        def forward(self, x):
            a = x + 0
            b = a * 1
            c = b * 2 * 3
            d = c + c
            e = d.t().t()
            f = e.to(torch.float32).contiguous()
            g = F.dropout(f, 0.5, self.training)
            h = (g / 1 - 0).transpose(0, 1).transpose(1, 0)
            return h.relu().relu()

    return scripted(Identities(), torch.randn(3, 4))


@archive
def identities_traced():
    def forward(x):
        return (x + 0) * 1 * 2 * 3 + torch.neg(torch.neg(x)) + x.t().t() + x.clone().contiguous()

    return traced(Wrap(forward), torch.randn(4, 4))


@archive
def identities_that_are_none():
    # x*0 keeps NaN, x+0 turns -0.0 into 0.0, x-x keeps NaN, integer division by 1 makes floats.
    class NotIdentities(nn.Module):
        def forward(self, x, n):
            return x * 0, x + 0, x - x, n / 1, n * 1.0, n + True, x / x, x**0, torch.abs(x) * -0.0

    x = torch.tensor([float("nan"), -0.0, 0.0, float("inf"), 1.5])
    return scripted(NotIdentities(), x, torch.arange(4))


@archive
def constant_folding():
    class Folds(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(4))

        def forward(self, x):
            scale = torch.exp(self.w) * 2 + torch.ones(4) / 3
            steps = torch.arange(4).to(x.dtype) * (2.0 * 3 + 1)
            return x * scale + steps

    return scripted(Folds(), torch.randn(3, 4))


@archive
def constant_output():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones(2, 3) * 2, x.relu(), torch.arange(x.size(0))

    return scripted(Constant(), torch.randn(3))


@archive
def dead_code():
    class Dead(nn.Module):
        def forward(self, x):
            unused = torch.exp(x) @ torch.randn(4, 2).abs()
            also = unused.sum() * 2
            z = x.relu() * 3
            z + also.numel()
            return z

    return scripted(Dead(), torch.randn(3, 4))


@archive
def common_subexpressions():
    def forward(x, y):
        return torch.tanh(x + y) * torch.tanh(x + y) + torch.tanh(y + x)

    return traced(Wrap(forward), torch.randn(5), torch.randn(5))


@archive
def broadcasts():
    def forward(a, b, c, d):
        return a + b, (a * b + c).relu() * d, b - d, (c / 2 + d).sigmoid()

    inputs = torch.randn(2, 3, 4, 5), torch.randn(4, 1), torch.randn(3, 1, 5), torch.randn(())
    return traced(Wrap(forward), *inputs)


@archive
def rank_six():
    def forward(a, b):
        return torch.tanh(a * b + 1).permute(5, 0, 3, 1, 4, 2) * 2

    return traced(Wrap(forward), torch.randn(2, 3, 1, 2, 3, 2), torch.randn(3, 4, 1, 1, 2))


@archive
def rank_eight():
    def forward(a, b):
        return (a * b).relu() + b

    return traced(Wrap(forward), torch.randn(2, 1, 2, 1, 2, 1, 2, 3), torch.randn(1, 2, 1, 2, 1, 2, 1, 3))


@archive
def strided_inputs():
    def forward(x):
        return torch.relu(x) * x[:, ::2].repeat_interleave(2, 1) + x.flip(0)

    return traced(Wrap(forward), torch.randn(8, 6).t())


@archive
def through_views():
    def forward(x):
        y = torch.sigmoid(x).view(2, 3, 4).transpose(1, 2).reshape(2, 12)
        return (y * 2).unsqueeze(1).expand(2, 3, 12).relu() + 1, y.chunk(2, 1)[1].exp(), y[:, 1:-1:3].neg()

    return traced(Wrap(forward), torch.randn(2, 12))


@archive
def many_outputs():
    def forward(x):
        a = x * 2
        b = a.relu()
        c = b + a
        return a, b, c, c.exp(), (c > 0), c.to(torch.int32)

    return traced(Wrap(forward), torch.randn(50))


@archive
def wide_group():
    # More operands than one kernel takes.
    def forward(*xs):
        total = xs[0]
        for x in xs[1:]:
            total = total + x * 0.5
        return total

    return traced(Wrap(forward), *[torch.randn(10) for _ in range(40)])


@archive
def where_clamp_compare():
    def forward(x, y):
        a = torch.where(x > y, x, y * 2)
        b = torch.clamp(a, min=-0.5) + torch.minimum(x, y).clamp(max=0.25)
        c = (x >= 0) & (y < 0) | ~(x == y)
        return a, b * c, x.masked_fill(c, 7.0), torch.lerp(x, y, 0.3), torch.addcmul(x, y, y, value=2)

    return traced(Wrap(forward), torch.randn(4, 6), torch.randn(4, 6))


@archive
def special_values():
    # Without gelu: in float32 LibTorch's is oneDNN's or its own by the tensor's layout, and they differ at infinity.
    def forward(x):
        results = [x.exp(), x.log(), x.tanh(), x.sigmoid(), x.sqrt(), x.rsqrt(), x.sin(), x.erf(), x.relu()]
        return tuple(results) + (x.round(), x.floor(), x.sign(), x.log1p(), x.expm1(), x.clamp(-1, 1), x.reciprocal())

    infinity, nan = float("inf"), float("nan")
    values = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, infinity, -infinity, nan, 1e-40, -1e-40, 1e38, -1e38]
    return traced(Wrap(forward), torch.tensor(values + [88.8, -88.8, 104.0, -104.0, 1e-8, 3.4028235e38]))


@archive
def powers():
    def forward(x, y):
        return x**2, x**3, x**0.5, x**-1, x**y, 2**x, x.pow(2.5), y**2, torch.square(x), x.abs() ** 0.25

    return traced(Wrap(forward), torch.randn(8), torch.randint(0, 4, (8,)).float())


@archive
def division_modes():
    def forward(x, y):
        floor, trunc = torch.div(x, y, rounding_mode="floor"), torch.div(x, y, rounding_mode="trunc")
        return x // y, floor, trunc, x % y, torch.fmod(x, y), torch.remainder(x, -2), x / y

    return traced(Wrap(forward), torch.randn(20) * 9, torch.randn(20))


@archive
def reductions_around():
    def forward(x):
        centred = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        return (centred * 2 + 1).softmax(-1), x.exp().sum(), x.amax(0), x.norm(dim=1), torch.logsumexp(x, 1)

    return traced(Wrap(forward), torch.randn(6, 32))
