"""One-dimensional convolutions in chains, and transposed ones: on the host their signals have the channels innermost."""

import torch
from torch import nn
from torch.nn import functional as F

from models import with_random_statistics
from registry import archive, scripted, traced


class Signals(nn.Module):
    """One-dimensional convolutions in chains: strides, dilations, filters of a channel, batch norm, residuals, poolings."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(1, 40, 10, 5, bias=False), nn.BatchNorm1d(40))
        self.wide, self.down = nn.Conv1d(40, 64, 3, padding=1), nn.Conv1d(40, 64, 1)
        self.depthwise = nn.Conv1d(64, 64, 5, 2, 4, dilation=2, groups=64)
        self.causal, self.same = nn.Conv1d(64, 64, 3, padding=4, dilation=2), nn.Conv1d(64, 64, 7, padding="same")
        self.grouped, self.last = nn.Conv1d(64, 48, 8, padding=4, groups=4), nn.Conv1d(64, 1, 7)

    def forward(self, x):
        x = F.relu(self.stem(x))
        y = F.relu(self.wide(x) + self.down(x))
        z = F.leaky_relu(self.depthwise(y), 0.1)
        z = torch.relu(self.causal(z)[:, :, :-4].contiguous()) + z
        pooled = [
            F.gelu(self.grouped(z)[:, :, :-1].transpose(1, 2)),
            F.max_pool1d(y, 3, 2, 1),
            F.max_pool1d(y, y.shape[-1]).squeeze(-1),
            F.avg_pool1d(y, 4, 3, 2, count_include_pad=False),
            F.avg_pool1d(y, 2, ceil_mode=True),
            F.adaptive_avg_pool1d(z, 1),
            F.adaptive_max_pool1d(z, 2),
            z.mean(-1),
            z.mean(2, keepdim=True) + z.amax(1, keepdim=True),
        ]
        return torch.tanh(self.last(self.same(z))), pooled


class Turned(nn.Module):
    """Signals read with their channels last, gated by halves of them, joined, and in part."""

    def __init__(self):
        super().__init__()
        self.up, self.filters = nn.Conv1d(16, 64, 1), nn.Conv1d(32, 32, 7, padding=3, groups=32)
        self.norm, self.linear = nn.LayerNorm(32), nn.Linear(32, 48)
        self.back, self.few, self.over_time = nn.Conv1d(48, 32, 3), nn.Conv1d(5, 16, 3), nn.Conv1d(20, 16, 1)

    def forward(self, x):
        gate, y = self.up(x).chunk(2, 1)
        y = self.filters(torch.sigmoid(gate) * torch.tanh(y))
        tokens = self.linear(self.norm(y.transpose(1, 2)))
        gelu = F.gelu(y.transpose(1, 2))
        z = self.back(F.silu(tokens.transpose(1, 2))) + F.glu(self.up(x), 1)[:, :, 1:-1]
        both = torch.cat([z, y[..., 2:]], 1)
        return gelu, both, both.flatten(1).sum(-1), self.few(z[:, 3:8]), self.over_time(y.transpose(1, 2)), z.permute(2, 0, 1).reshape(-1, 32)


class Upsampled(nn.Module):
    """Transposed convolutions of signals and images: by each relation of filter, stride and padding, and what stays LibTorch's."""

    def __init__(self):
        super().__init__()
        self.signals = nn.ModuleList([
            nn.ConvTranspose1d(16, 24, 16, 8, 4),
            nn.ConvTranspose1d(24, 40, 4, 2, 1, output_padding=1),
            nn.ConvTranspose1d(40, 33, 3, padding=2, bias=False),
            nn.ConvTranspose1d(33, 20, 5, 2, 1),
            nn.ConvTranspose1d(20, 20, 7, 3, 2, output_padding=2),
            nn.ConvTranspose1d(20, 20, 2, 3),
            nn.ConvTranspose1d(20, 16, 4, 2, groups=2),
            nn.ConvTranspose1d(16, 16, 4, 2, 4, dilation=2),
        ])
        self.norm = nn.BatchNorm1d(24)
        self.images = nn.ModuleList([
            nn.Sequential(nn.ConvTranspose2d(16, 32, 4, 1, 0, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
            nn.Sequential(nn.ConvTranspose2d(32, 24, 4, 2, 1), nn.BatchNorm2d(24), nn.ReLU6()),
            nn.Sequential(nn.ConvTranspose2d(24, 16, (2, 3), (2, 3), output_padding=(1, 0)), nn.GELU()),
            nn.Sequential(nn.ConvTranspose2d(16, 20, 3, 2, 1, output_padding=1), nn.BatchNorm2d(20), nn.ReLU()),
            nn.Sequential(nn.ConvTranspose2d(20, 16, (5, 4), (2, 3), (0, 1), bias=False), nn.LeakyReLU(0.2)),
            nn.Sequential(nn.ConvTranspose2d(16, 3, (6, 2), (3, 1), (5, 0)), nn.Tanh()),
        ])
        self.skip = nn.Conv1d(16, 24, 1)

    def forward(self, x):
        results = []
        y = F.leaky_relu(self.norm(self.signals[0](x)), 0.1)
        y = y + F.relu(self.signals[0](x) + self.skip(x).repeat_interleave(8, 2))
        for layer in self.signals[1:]:
            y = layer(y)
            results.append(y.mean(1))
        z = x[:, :, :4].view(-1, 16, 2, 2)
        for layer in self.images:
            z = layer(z)
        return y, z, results


@archive
def chain():
    return traced(with_random_statistics(Signals()), torch.randn(2, 1, 331))


@archive
def not_a_number():
    x = torch.randn(2, 1, 331)
    x[0, 0, 30], x[1, 0, 200], x[1, 0, 7] = float("nan"), float("inf"), -float("inf")
    return traced(with_random_statistics(Signals()), x)


@archive
def chain_scripted():
    return scripted(with_random_statistics(Signals()), torch.randn(1, 1, 1777))


@archive
def turned():
    return traced(Turned(), torch.randn(2, 16, 20))


@archive
def upsampled():
    return traced(with_random_statistics(Upsampled()), torch.randn(2, 16, 11))


@archive
def upsampled_not_a_number():
    x = torch.randn(2, 16, 11)
    x[0, 3, 2], x[1, 0, 8], x[1, 5, 1] = float("nan"), float("inf"), -float("inf")
    return traced(with_random_statistics(Upsampled()), x)


@archive
def norms_of_groups_between_convolutions():
    """Group and instance norms of signals, images and volumes whose channels are innermost, of one group, of several, a channel each,
    with and without weights, of numbers far from 0, and one whose result leaves."""

    class Normed(nn.Module):
        def __init__(self, conv, norms):
            super().__init__()
            self.first = conv(3, 24, 3, padding=1)
            self.norms = nn.ModuleList(norms)
            self.convs = nn.ModuleList([conv(24, 24, 3, padding=1) for _ in norms])

        def forward(self, x):
            y, results = self.first(x), []
            for norm, conv in zip(self.norms, self.convs):
                z = norm(y)
                results.append(z.flatten(1).mean(1))
                y = y + conv(F.silu(z)) + 0.5
            return y, norm(y * 5), results

    def norms(instance):
        return [nn.GroupNorm(4, 24), nn.GroupNorm(8, 24), nn.GroupNorm(1, 24), nn.GroupNorm(24, 24), nn.GroupNorm(6, 24, affine=False), instance(24), instance(24, affine=True), nn.GroupNorm(3, 24, eps=0.1)]

    class All(nn.Module):
        def __init__(self):
            super().__init__()
            self.signal = Normed(nn.Conv1d, norms(nn.InstanceNorm1d))
            self.image = Normed(nn.Conv2d, norms(nn.InstanceNorm2d))
            self.volume = Normed(nn.Conv3d, norms(nn.InstanceNorm3d))

        def forward(self, a, b, c):
            y = self.volume.first(c)  # the last two are LibTorch's, whose results lie otherwise
            pooled = self.volume.convs[0](F.avg_pool3d(y, 2, divisor_override=1 << 25) * 2.0**22)
            mean = self.image.norms[0].weight.detach().clone()
            normed = F.instance_norm(self.image.first(b), mean, mean.abs() + 1, use_input_stats=True)
            return self.signal(a), self.image(b), self.volume(c), pooled, self.image.convs[0](normed)

    return traced(with_random_statistics(All()), torch.randn(2, 3, 37), torch.randn(2, 3, 9, 14), torch.randn(1, 3, 5, 6, 7))
