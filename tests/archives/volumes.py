"""Convolutions of volumes and what lies between them: on the host their channels are innermost."""

import torch
from torch import nn
from torch.nn import functional as F

from models import with_random_statistics
from registry import archive, scripted, traced


def normed(inputs, outputs, kernel, **options):
    return nn.Sequential(nn.Conv3d(inputs, outputs, kernel, bias=False, **options), nn.BatchNorm3d(outputs))


class Block(nn.Module):
    """Of a video network: a residual around two convolutions."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = normed(inputs, outputs, 3, stride=stride, padding=1)
        self.second = normed(outputs, outputs, 3, padding=1)
        self.skip = normed(inputs, outputs, 1, stride=stride)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.skip(x))


@archive
def residual():
    class Video(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = normed(3, 20, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3))
            self.blocks = nn.Sequential(Block(20, 32, 1), Block(32, 40, 2), Block(40, 72, (1, 2, 2)))
            self.head = nn.Linear(72, 5)

        def forward(self, x):
            x = F.max_pool3d(F.relu(self.stem(x)), 3, 2, 1)
            x = self.blocks(x)
            return self.head(F.adaptive_avg_pool3d(x, 1).flatten(1)), x

    return scripted(with_random_statistics(Video()), torch.randn(2, 3, 5, 39, 45))


@archive
def separated():
    """Filters of a slice, of a pixel over slices, of a voxel; padding by name."""

    class Separated(nn.Module):
        def __init__(self):
            super().__init__()
            self.slices = nn.Sequential(normed(2, 45, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3)), nn.ReLU6())
            self.times = nn.Sequential(normed(45, 64, (3, 1, 1), padding=(1, 0, 0)), nn.ReLU())
            self.both = nn.Sequential(nn.Conv3d(64, 48, (1, 3, 3), stride=(2, 1, 1), padding=(0, 1, 1)), nn.SiLU(),
                                      nn.Conv3d(48, 32, (4, 1, 1), padding="same"), nn.Conv3d(32, 8, 1))
            self.far = nn.Conv3d(8, 24, (3, 3, 1), padding=(4, 2, 0), dilation=(4, 2, 1))

        def forward(self, x):
            times = self.times(self.slices(x))
            return self.far(self.both(times)), times.mean([3, 4]), times[:, :, 1:, ::2].exp()

    return traced(with_random_statistics(Separated()), torch.randn(1, 2, 6, 17, 15))


@archive
def patches():
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.tubes, self.wide = nn.Conv3d(3, 48, (2, 4, 4), stride=(2, 4, 4)), nn.Conv3d(9, 24, (2, 4, 4), stride=(2, 4, 4))
            self.norm, self.up = nn.LayerNorm(48), nn.Linear(48, 24)

        def forward(self, x):
            tokens = self.tubes(x).flatten(2).transpose(1, 2)
            return self.up(self.norm(tokens)), tokens, self.wide(torch.cat([x, x * 2, x - 1], 1))

    return traced(Patches(), torch.randn(2, 3, 5, 16, 22))


@archive
def up_and_down():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.norm = nn.Conv3d(1, 16, 3, padding=1), nn.InstanceNorm3d(16, affine=True)
            self.deep = nn.Sequential(nn.Conv3d(16, 32, 3, padding=1), nn.ReLU(), nn.Conv3d(32, 32, 3, padding=1))
            self.up, self.wide = nn.ConvTranspose3d(32, 24, 2, 2), nn.ConvTranspose3d(32, 16, (4, 2, 4), 2, (1, 0, 1))
            self.other = nn.ConvTranspose3d(32, 8, 3, 2, 1, 1)
            self.last, self.head = normed(80, 20, 3, padding=1), nn.Conv3d(20, 2, 1)

        def forward(self, x):
            fine = F.leaky_relu(self.norm(self.down(x)))
            deep = F.relu(self.deep(F.max_pool3d(fine, 2)))
            smooth = F.interpolate(deep[:, :16], scale_factor=2.0, mode="trilinear")
            steps = F.interpolate(deep[:, 16:24], scale_factor=2.0)
            x = torch.cat([fine, F.relu(self.up(deep)), self.wide(deep), smooth, steps], 1)
            return self.head(F.elu(self.last(x))), self.other(deep)

    return traced(with_random_statistics(UNet()), torch.randn(1, 1, 6, 12, 10))


@archive
def by_channel():
    """Filters of a channel and of groups, gates from a mean, averages with padding, zeros on one side."""

    class ByChannel(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.own = normed(3, 24, (1, 3, 3), stride=(1, 2, 2)), normed(24, 24, 3, padding=1, groups=24)
            self.long, self.groups = normed(24, 24, (5, 1, 1), padding=(2, 0, 0), groups=24), nn.Conv3d(24, 48, 3, groups=3)
            self.few = nn.Conv3d(48, 48, 3, padding=1, groups=24)
            self.gate, self.back = nn.Conv3d(24, 8, 1), nn.Conv3d(8, 24, 1)

        def forward(self, x):
            x = F.relu(self.own(self.stem(F.pad(x, (0, 1, 0, 1)))))
            gate = torch.sigmoid(self.back(F.relu(self.gate(x.mean([2, 3, 4], keepdim=True)))))
            x = F.silu(self.long(x * gate))
            pools = [F.avg_pool3d(x, 3, 2, 1), F.avg_pool3d(x, (1, 2, 3), (1, 2, 2), (0, 1, 1), count_include_pad=False),
                     F.avg_pool3d(x, 2, ceil_mode=True), F.adaptive_avg_pool3d(x, (2, 3, 2)), F.max_pool3d(x, 2, dilation=2)]
            return self.few(self.groups(x)), *pools

    return traced(with_random_statistics(ByChannel()), torch.randn(2, 3, 5, 15, 20))


@archive
def thin():
    """Volumes of one slice, of one row and of one voxel; more padding than volume."""

    class Thin(nn.Module):
        def __init__(self):
            super().__init__()
            self.deep, self.apart = nn.Conv3d(16, 16, 3, padding=1), nn.Conv3d(16, 8, (2, 1, 1), padding=(1, 0, 0), dilation=(2, 1, 1))
            self.padded = nn.Conv3d(16, 16, 3, padding=3)

        def forward(self, slice, row, voxel):
            made = [layer(x) for layer in (self.deep, self.padded) for x in (slice, row, voxel)]
            return *[x.relu() for x in made], self.apart(slice), self.deep(voxel[0])

    return traced(Thin(), torch.randn(1, 16, 1, 9, 9), torch.randn(2, 16, 1, 1, 12), torch.randn(1, 16, 1, 1, 1))


@archive
def voxels():
    """Which lie the same way with their channels innermost."""
    model = nn.Sequential(normed(16, 32, 3, padding=1), nn.ReLU(), normed(32, 2, (3, 1, 1), padding=(1, 0, 0)))
    return scripted(with_random_statistics(model), torch.randn(2, 16, 1, 1, 1))
