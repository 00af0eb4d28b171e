"""Convolutions in chains, and what lies between them: on the host their images have the channels innermost."""

import torch
from torch import nn
from torch.nn import functional as F

from models import with_random_statistics
from registry import archive, scripted, traced


def normed(inputs, outputs, kernel, **options):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, **options), nn.BatchNorm2d(outputs))


class Activated(nn.Module):
    """Each activation that a convolution takes, and one that it doesn't."""

    def __init__(self, *more):
        super().__init__()
        activations = [nn.ReLU(), nn.ReLU6(), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Hardswish(), nn.Hardsigmoid(), *more,
                       nn.GELU("tanh"), nn.Hardtanh(-0.5, 0.25), nn.LeakyReLU(0.1), nn.Softplus(), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*[nn.Sequential(normed(64, 64, 3, padding=1), a) for a in activations])

    def forward(self, x):
        return self.layers(x), [layer(x) for layer in self.layers]


class Geometries(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([
            nn.Conv2d(3, 64, (5, 3), (2, 1), (2, 1)),
            nn.Conv2d(64, 128, 3, padding=2, dilation=2, groups=4, bias=False),
            nn.Conv2d(128, 128, 3, padding=1, groups=128),
            nn.Conv2d(128, 90, 1),
            nn.Conv2d(90, 96, (1, 7), padding=(0, 3)),
            nn.Conv2d(96, 67, 3),
        ])

    def forward(self, x):
        results = []
        for layer in self.layers:
            x = layer(x)
            results.append(F.adaptive_avg_pool2d(x, 1))
        return x, results


class Residual(nn.Module):
    """Additions before and after the activation, of an image, a channel's number and a number."""

    def __init__(self):
        super().__init__()
        self.stem, self.down = normed(3, 32, 3, padding=1), normed(32, 64, 1, stride=2, bias=False)
        self.first, self.second = normed(32, 64, 3, stride=2, padding=1), normed(64, 64, 3, padding=1)
        self.third = nn.Conv2d(64, 64, 3, padding=1)
        self.shift = nn.Parameter(torch.randn(64, 1, 1))

    def forward(self, x):
        x = F.relu(self.stem(x))
        y = F.relu(self.second(F.relu(self.first(x))) + self.down(x))
        z = y + self.third(y)
        z += self.shift
        return F.relu_(torch.add(self.third(z), y, alpha=2) + 1)


class Excited(nn.Module):
    """Squeeze and excitation: images of one pixel between larger ones."""

    def __init__(self):
        super().__init__()
        self.conv, self.reduce, self.expand = nn.Conv2d(16, 32, 3), nn.Conv2d(32, 16, 1), nn.Conv2d(16, 32, 1)
        self.last, self.classifier = nn.Conv2d(32, 32, 3, padding=1), nn.Linear(32, 10)

    def forward(self, x):
        x = F.silu(self.conv(x))
        s = torch.sigmoid(self.expand(F.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)))))
        y = self.last(x * s)
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(y, (1, 1)), 1)), y.mean((2, 3)), s


class Skips(nn.Module):
    """Down and up again, with concatenations on the way."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 96, 3, padding=1)
        self.up, self.out = nn.Conv2d(160, 61, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, image):
        x = F.relu(self.first(image))
        y = F.relu(self.second(F.max_pool2d(x, 2)))
        wide = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        joined = torch.cat([wide, x], dim=1)
        z = F.interpolate(self.up(F.avg_pool2d(joined, 2, ceil_mode=True)), size=image.shape[-2:], mode="nearest")
        return self.out(torch.cat([z, image], 1))


class Pooled(nn.Module):
    """Windows over images that have their channels innermost: past the end, with padding, spread out, of means."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 40, 3, padding=1), nn.Conv2d(40, 24, 3)

    def forward(self, x):
        y = self.first(x)
        z = self.second(F.relu(F.max_pool2d(y, 3, 2, ceil_mode=True)))
        pooled = [
            F.max_pool2d(y, 2, 1, 1, dilation=2),
            F.avg_pool2d(y, 3, 2, 1),
            F.avg_pool2d(y, 3, 2, 1, count_include_pad=False) + 1,
            F.avg_pool2d(y, 2, divisor_override=3),
            F.adaptive_avg_pool2d(y, (2, 3)),
            F.adaptive_avg_pool2d(y, (5, 4)),
            y.mean((2, 3)),
            y.mean((-1, -2), keepdim=True) * z.mean((2, 3), keepdim=True).sum(),
            y.mean(2),
        ]
        return z, pooled


class Followed(nn.Module):
    """What comes after convolutions and products: ranges, summands, kernels that share their memory or can't."""

    def __init__(self):
        super().__init__()
        self.wide, self.depthwise = nn.Conv2d(16, 72, 1), nn.Conv2d(72, 72, 5, 2, 2, groups=72)
        self.dilated = nn.Conv2d(72, 72, 3, padding=(2, 4), dilation=(2, 4), groups=72, bias=False)
        self.narrow, self.one = nn.Conv2d(72, 5, 3, padding=1), nn.Conv2d(72, 1, 1)
        self.norm, self.linear = nn.LayerNorm(72), nn.Linear(72, 50)
        self.scale = nn.Parameter(torch.randn(72, 1, 1))

    def forward(self, x):
        y = F.hardswish(self.wide(x)) * self.scale
        z = F.relu6(self.depthwise(y) + 1)
        w = torch.clamp(self.dilated(z) + z, -0.5, 0.75)
        tokens = self.norm(w.permute(0, 2, 3, 1))
        logits = F.log_softmax(self.linear(tokens), -1)
        hidden = F.gelu(self.linear(tokens)) + logits
        per_image = self.wide(x) * y.mean((2, 3), keepdim=True)
        return torch.sigmoid(self.narrow(w)), torch.tanh(self.one(w)), hidden, F.hardtanh(self.linear(tokens), -1, 2), per_image


class Seen(nn.Module):
    """Images read otherwise than as images: permuted, reshaped, sliced, reduced, written to."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(16, 32, 3, padding=1), nn.LayerNorm(32)
        self.last = nn.Conv2d(32, 32, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        tokens = self.norm(y.permute(0, 2, 3, 1)).flatten(1, 2)
        folded = y.view(x.shape[0], 4, 8, -1).transpose(1, 2).reshape(x.shape[0], 32, x.shape[2], x.shape[3])
        z = self.last(torch.relu(y) + folded)
        z[:, 3:5] = 1.0
        return tokens, self.last(z)[:, ::2, 1:], z.amax(1), z.sum((2, 3))


class Decides(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(16, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)

    def forward(self, x):
        y = torch.relu(self.first(x))
        if bool(y.sum() > 0):
            y = torch.relu(self.second(y))
        else:
            y = self.second(y) + y
        return self.second(y)


@archive
def activations():
    return traced(with_random_statistics(Activated(nn.GELU())), torch.randn(2, 64, 6, 5))


@archive
def geometries():
    return traced(Geometries(), torch.randn(2, 3, 11, 13))


@archive
def geometries_of_channels_last_images():
    return traced(Geometries(), torch.randn(1, 3, 12, 9).contiguous(memory_format=torch.channels_last))


@archive
def residual():
    return traced(with_random_statistics(Residual()), torch.randn(1, 3, 10, 10))


@archive
def residual_scripted():
    return scripted(with_random_statistics(Residual()), torch.randn(2, 3, 9, 7))


@archive
def squeeze_and_excitation():
    return traced(Excited(), torch.randn(2, 16, 8, 8))


@archive
def skips():
    return traced(Skips(), torch.randn(1, 3, 12, 16))


@archive
def seen_otherwise():
    return traced(Seen(), torch.randn(2, 16, 7, 6))


@archive
def decision_between():
    return scripted(Decides(), torch.randn(1, 16, 8, 8))


@archive
def poolings():
    return traced(Pooled(), torch.randn(2, 3, 12, 15))


@archive
def followed():
    return traced(Followed(), torch.randn(2, 16, 13, 11))


@archive
def not_a_number():
    x = torch.randn(2, 64, 6, 5)
    x[0, 3, 2, 2], x[1, 5, 0, 4] = float("nan"), float("nan")
    return traced(with_random_statistics(Activated(nn.GELU())), x)


@archive
def infinities():
    # Without GELU, of which LibTorch's own makes NaN of infinity where oneDNN has AVX-512.
    x = torch.randn(2, 64, 6, 5)
    x[1, 5, 0, 4], x[1, 0, 5, 0] = float("inf"), -float("inf")
    return traced(with_random_statistics(Activated()), x)


class NamedPaddings(nn.Module):
    """As numbers but for the last, which pads one side more than the other."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([
            nn.Conv2d(3, 32, 4, stride=2, padding="valid"),
            nn.Conv2d(32, 32, (3, 5), padding="same", dilation=(2, 1)),
            nn.Conv2d(32, 32, 5, padding="same", groups=32, bias=False),
            nn.Conv2d(32, 16, (2, 3), padding="same"),
        ])
        self.line, self.volume = nn.Conv1d(16, 8, 3, padding="same"), nn.Conv3d(1, 2, 3, padding="same")

    def forward(self, x):
        for layer in self.layers:
            x = F.silu(layer(x))
        return x, self.line(x.flatten(2)), self.volume(x.unsqueeze(1))


@archive
def paddings_by_name():
    return traced(NamedPaddings(), torch.randn(1, 3, 18, 16))


@archive
def paddings_by_name_scripted():
    return scripted(NamedPaddings(), torch.randn(1, 3, 18, 16))


class Tokens(nn.Module):
    """Images read with their channels last and written so, as in networks of convolutions and layer norms."""

    def __init__(self):
        super().__init__()
        self.patches, self.filters = nn.Conv2d(3, 48, 4, 4), nn.Conv2d(48, 48, 5, padding=2, groups=48)
        self.norm, self.up, self.down = nn.LayerNorm(48), nn.Linear(48, 96), nn.Linear(96, 48)
        self.scale = nn.Parameter(torch.randn(48))

    def forward(self, image):
        x = self.patches(image)
        y = self.scale * self.down(F.gelu(self.up(self.norm(self.filters(x).permute(0, 2, 3, 1)))))
        x = x + y.permute(0, 3, 1, 2)
        return x, self.norm(x.flatten(2).transpose(1, 2)), self.filters(x)[:, 8:40], F.relu(x.permute(0, 2, 3, 1)) - 1


@archive
def tokens_of_images():
    return traced(Tokens(), torch.randn(2, 3, 20, 24))


@archive
def volumes():
    class Volumes(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv3d(2, 8, 3, padding=1)
            self.norm = nn.BatchNorm3d(8)
            self.halves = nn.Conv3d(8, 16, (2, 3, 1), stride=(2, 1, 2), padding=(0, 1, 0), groups=2)
            self.wide = nn.Conv3d(16, 4, 3, padding=2, dilation=2, bias=False)
            self.voxels = nn.Conv3d(4, 3, 1)

        def forward(self, x):
            x = self.norm(self.first(x)).relu()
            return self.voxels(self.wide(self.halves(x).relu()) + self.wide(self.halves(x.transpose(3, 4))))

    return scripted(Volumes(), torch.randn(1, 2, 6, 8, 8))


@archive
def transposed_colours():
    class Colours(nn.Module):
        def __init__(self):
            super().__init__()
            self.line, self.image = nn.ConvTranspose1d(2, 16, 8, 4, 2), nn.ConvTranspose2d(3, 16, 4, 2, 1)
            self.volume = nn.ConvTranspose3d(4, 8, (2, 4, 4), 2, (0, 1, 1))

        def forward(self, line, image, volume):
            return self.line(line), self.image(image), self.volume(volume)

    return traced(Colours(), torch.randn(2, 2, 30), torch.randn(1, 3, 9, 11), torch.randn(1, 4, 3, 5, 6))


@archive
def compared_without_the_batch():
    class Compares(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 16, 1)

        def forward(self, x):
            image = self.conv(x).squeeze(0)
            return image == image.flip(-1), (image * 2).to(torch.float64), image.exp()

    return scripted(Compares(), torch.randn(1, 8, 5, 6))


@archive
def padded_before_strides():
    """Zeros on the right and below before a stride, as TensorFlow pads; filters of few channels; a window past the image."""

    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.norm = nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8)
            self.depth, self.point = nn.Conv2d(8, 8, 3, 2, groups=8), nn.Conv2d(8, 24, 1)
            self.norm.running_mean.normal_()
            self.register_buffer("blur", torch.rand(3, 1, 5, 5) / 25)

        def forward(self, x):
            y = F.silu(self.norm(self.stem(F.pad(x, (0, 1, 0, 1)))))
            y = self.point(F.relu(self.depth(F.pad(y, (0, 1, 0, 1)))))
            mean = F.conv2d(x, self.blur, groups=3)
            spread = F.conv2d(x * x, self.blur, groups=3) - mean * mean
            whole = F.avg_pool2d(y, 320, ceil_mode=True), F.max_pool2d(y, (50, 2), ceil_mode=True)
            return y, spread, F.pad(y, (1, 2), value=0.5).exp(), *whole, F.avg_pool1d(y.flatten(2), 1000, ceil_mode=True)

    return traced(Padded(), torch.randn(2, 3, 26, 34))
