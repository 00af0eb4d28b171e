"""Models that more than one group of archives uses."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Wrap(nn.Module):
    """A plain function of tensors as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class TinyLinear(nn.Module):
    def __init__(self, width=2):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return torch.relu(self.linear(x))


class Mlp(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


class DecisionGate(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        else:
            return -x


class GatedCell(nn.Module):
    def __init__(self, gate, width=4):
        super().__init__()
        self.gate = gate
        self.linear = nn.Linear(width, width)

    def forward(self, x, h):
        new_h = torch.tanh(self.gate(self.linear(x)) + h)
        return new_h, new_h


class GatedLoop(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, xs):
        h, y = torch.zeros(3, 4), torch.zeros(3, 4)
        for i in range(xs.size(0)):
            y, h = self.cell(xs[i], h)
        return y, h


class WrappedLoop(nn.Module):
    def __init__(self, loop):
        super().__init__()
        self.loop = loop

    def forward(self, xs):
        y, h = self.loop(xs)
        return torch.relu(y)


def gated_rnn(traced_outside):
    """The tutorials' RNN: a scripted gate in a traced cell in a scripted loop, in a traced module if asked for."""
    cell = GatedCell(torch.jit.script(DecisionGate()))
    cell = torch.jit.trace(cell, (torch.rand(3, 4), torch.rand(3, 4)), check_trace=False)
    loop = torch.jit.script(GatedLoop(cell))
    if not traced_outside:
        return loop
    return torch.jit.trace(WrappedLoop(loop), (torch.rand(10, 3, 4),), check_trace=False)


class ChainTranscendental(nn.Module):
    """Twelve pointwise operators, three of them transcendental."""

    def forward(self, x):
        y = torch.tanh(x * 2 + 1)
        z = torch.sigmoid(y) * x
        a = torch.clamp(F.gelu(z), -1.0, 1.0)
        return torch.relu((a + y) * z - x) * 0.5


class ChainMemory(nn.Module):
    """Twelve pointwise operators, none transcendental: bound by memory."""

    def forward(self, x):
        t = torch.relu(x * 2 + 1) * 0.5 - 0.25
        t = torch.relu(t) * 1.5 + x
        t = torch.relu(t) * 0.75 - x
        return torch.relu(t)


class EncoderBlock(nn.Module):
    """A transformer encoder block with its attention written out."""

    def __init__(self, width=64, heads=4, inner=128):
        super().__init__()
        self.heads, self.scale = heads, 1 / math.sqrt(width // heads)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        weights = torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * self.scale, -1)
        mixed = torch.matmul(weights, v).transpose(1, 2).reshape(b, t, d)
        x = self.norm1(x + self.proj(mixed))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class NormSoftmaxGelu(nn.Module):
    """What a library computes in three passes over memory."""

    def __init__(self, width=1024):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return F.gelu(torch.softmax(self.norm(x), -1))


def with_random_statistics(model):
    """Batch norm as after training: statistics that are not 0 and 1."""
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(0.8, 1.2)
            module.bias.uniform_(-0.1, 0.1)
    return model.eval()


def with_statistics_of(model, *inputs):
    """Batch norm as after training on these inputs: what goes through it keeps differing from place to place."""

    def keep(module, args):
        module.running_mean.copy_(args[0].mean((0, 2, 3)))
        module.running_var.copy_(args[0].var((0, 2, 3), correction=0) + 0.01)

    model.eval()
    hooks = [m.register_forward_pre_hook(keep) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        model(*inputs)
    for hook in hooks:
        hook.remove()
    return model
