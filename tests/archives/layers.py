"""Layers one by one, each traced and scripted where that differs, and small stacks of them."""

import torch
from torch import nn
from torch.nn import functional as F

from models import Mlp, NormSoftmaxGelu, TinyLinear, Wrap, with_random_statistics
from registry import Made, archive, scripted, traced

IMAGE = (2, 3, 16, 16)


@archive
def linear_relu_traced():
    return traced(TinyLinear(), torch.randn(1, 2))


@archive
def linear_relu_scripted():
    return scripted(TinyLinear(), torch.randn(1, 2))


@archive
def linear_without_bias():
    return traced(nn.Linear(5, 7, bias=False), torch.randn(4, 5))


@archive
def linear_of_three_dimensions():
    return traced(nn.Linear(5, 7), torch.randn(2, 3, 5))


@archive
def norm_softmax_gelu():
    return traced(NormSoftmaxGelu(), torch.randn(4, 1024))


@archive
def mlp_1000_1000_100():
    return traced(Mlp(1000, 1000, 100), torch.randn(128, 1000))


@archive
def mlp_small_softmax():
    model = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10), nn.Softmax(-1)
    )
    return traced(model, torch.randn(8, 64))


@archive
def skinny_products():
    """Few rows or few columns, small and large weights, in both layouts, with what follows them."""

    class Skinny(nn.Module):
        def __init__(self):
            super().__init__()
            self.narrow, self.wide = nn.Linear(387, 4), nn.Linear(300, 520)
            self.back = nn.Linear(520, 300, bias=False)
            self.across = nn.Parameter(torch.randn(300, 70) / 16)

        def forward(self, x, y):
            hidden = torch.relu(self.wide(y))
            added = torch.relu(y + self.back(hidden))
            return self.narrow(x), torch.sigmoid(torch.mm(added, self.across)), torch.relu(self.narrow(x) + x[:, 3:7])

    return traced(Skinny(), torch.randn(128, 387), torch.randn(3, 300))


@archive
def rows_that_many_blocks_share():
    """So long and so few that a GPU cuts them into chunks and adds up partial results."""

    def forward(x):
        return torch.softmax(x, -1) * 2, x.sum(-1), x.amax(-1)

    return traced(forward, torch.randn(2, 70001))


@archive
def nested_modules():
    class Block(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
            self.scale = 0.5

        def forward(self, x):
            return x + self.scale * self.inner(x)

    return scripted(Block(Block(nn.Sequential(Block(nn.Linear(4, 4)), nn.Tanh()))), torch.randn(3, 4))


@archive
def convolution_norm_relu():
    model = with_random_statistics(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    return traced(model, torch.randn(IMAGE))


@archive
def convolution_norm_relu_scripted():
    model = with_random_statistics(
        nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
    )
    return scripted(model, torch.randn(IMAGE))


@archive
def convolution_1d_2d_3d_transposed():
    class Convolutions(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Conv1d(3, 4, 3, dilation=2)
            self.two = nn.Conv2d(4, 4, 3, groups=4, padding="same")
            self.three = nn.Conv3d(1, 2, 2)
            self.up = nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1)

        def forward(self, x, y):
            return self.one(y), self.two(x), self.three(x.unsqueeze(1)), self.up(x)

    return traced(Convolutions(), torch.randn(2, 4, 8, 8), torch.randn(2, 3, 20))


@archive
def convolution_channels_last():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Hardswish(), nn.Conv2d(8, 4, 1))
    x = torch.randn(IMAGE).contiguous(memory_format=torch.channels_last)
    return traced(model.to(memory_format=torch.channels_last), x)


@archive
def norms():
    class Norms(nn.Module):
        def __init__(self):
            super().__init__()
            self.group, self.layer = nn.GroupNorm(2, 4), nn.LayerNorm([6, 6])
            self.instance = nn.InstanceNorm2d(4, affine=True)
            self.local = nn.LocalResponseNorm(2)

        def forward(self, x):
            return self.group(x), self.layer(x), self.instance(x), self.local(x), F.normalize(x, dim=1)

    return traced(Norms(), torch.randn(2, 4, 6, 6))


@archive
def norms_of_equal_numbers():
    """Rows without variance, whose mean is rounded: a norm multiplies what is left of them by 300 (group and instance
    norms do in LibTorch, too)."""

    def forward(x):
        gain = torch.linspace(1, 3, 100)
        return (
            F.layer_norm(x, (100,), gain, gain),
            F.layer_norm(x * 3 + 1, (100,)),
            x.var(1),
            (x - x[:, :1]) / (x.std(1, keepdim=True) + 1e-8),
        )

    return traced(Wrap(forward), torch.tensor([[0.3], [0.7], [1.1], [-2.7], [0.1], [17.3]]).expand(6, 100).contiguous())


@archive
def norms_of_many_numbers():
    """Half of them are equal, so that rounding errs one way in long chains of sums; operands keep their rows in parts."""

    def forward(x, y, gain):
        return (
            F.group_norm(F.relu(x), 2, gain[:48], gain[48:]),
            (F.relu(y) * gain[:24].view(24, 1, 1)).var((0, 1)),
        )

    return traced(Wrap(forward), torch.randn(1, 48, 56, 56), torch.randn(24, 500, 32), torch.rand(96))


@archive
def batch_norm_1d_statistics():
    return traced(with_random_statistics(nn.BatchNorm1d(5)), torch.randn(6, 5))


@archive
def poolings():
    class Poolings(nn.Module):
        def forward(self, x):
            pooled, indices = F.max_pool2d(x, 2, return_indices=True)
            return (
                F.max_pool2d(x, 3, 2, 1),
                F.max_pool2d(x, 3, 2, ceil_mode=True),
                F.avg_pool2d(x, 2, ceil_mode=True),
                F.adaptive_avg_pool2d(x, (3, 3)),
                F.adaptive_max_pool2d(x, 2),
                F.lp_pool2d(x, 2.0, 2),
                F.max_unpool2d(pooled, indices, 2),
            )

    return traced(Poolings(), torch.randn(2, 3, 8, 8))


@archive
def activations():
    functions = [F.relu, F.gelu, F.silu, F.mish, F.elu, F.selu, F.celu, F.softplus, F.softsign, F.hardtanh]
    functions += [F.hardswish, F.hardsigmoid, F.logsigmoid, F.tanhshrink, F.relu6, F.leaky_relu, F.softshrink]

    class Activations(nn.Module):
        def __init__(self):
            super().__init__()
            self.prelu = nn.PReLU(6)

        def forward(self, x):
            results = [function(x) for function in functions]
            return tuple(results) + (self.prelu(x), F.gelu(x, approximate="tanh"), F.glu(x), F.threshold(x, 0.1, 20))

    return traced(Activations(), torch.randn(4, 6) * 3)


@archive
def prelu_among_rows_of_one():
    """Windows of one pixel are rows of one element; the operators between them and real rows have to be taken apart."""

    def forward(x, weight):
        y = F.max_pool2d(F.adaptive_avg_pool2d(x, (6, 3)), 1)
        z = F.prelu(y, weight).softmax(0)
        return y, z, z.mean(1, keepdim=True), x.clone().abs_().add_(0.5).pow_(0.5)

    x = torch.randn(3, 4, 16, 5).permute(0, 2, 3, 1)
    return traced(Wrap(forward), x.double(), torch.randn(16).double())


@archive
def instance_norms_with_statistics():
    class Norms(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 10, 3, padding=1)
            self.image = nn.InstanceNorm2d(10, affine=True, track_running_stats=True)
            self.signal = nn.InstanceNorm1d(3, track_running_stats=True)
            for norm in (self.image, self.signal):
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.5, 2)

        def forward(self, x):
            return F.relu(self.image(self.conv(x))), self.signal(x.flatten(2)).exp()

    return traced(Norms(), torch.randn(2, 3, 9, 14))


@archive
def prelu_of_channels():
    class Upscaling(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1)
            self.slopes, self.more = nn.PReLU(12), nn.PReLU(12)
            self.signal = nn.PReLU(3)

        def forward(self, x):
            y = self.slopes(self.first(x))
            halves = F.prelu(x.bfloat16(), self.signal.weight.bfloat16())
            return F.pixel_shuffle(self.more(self.second(y)) + y, 2), self.signal(x.flatten(2)), halves

    return traced(Upscaling(), torch.randn(2, 3, 9, 14))


@archive
def softmaxes():
    class Softmaxes(nn.Module):
        def forward(self, x):
            return F.softmax(x, -1), F.log_softmax(x, 1), F.softmin(x, 0), F.softmax(x, -1, dtype=torch.float64)

    return traced(Softmaxes(), torch.randn(3, 4, 5))


@archive
def resampling():
    class Resampling(nn.Module):
        def forward(self, x):
            grid = F.affine_grid(torch.eye(2, 3).expand(2, 2, 3), [2, 3, 5, 5], align_corners=False)
            return (
                F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False),
                F.interpolate(x, size=[5, 7], mode="nearest"),
                F.interpolate(x, size=[5, 5], mode="bicubic", align_corners=True),
                F.grid_sample(x, grid, align_corners=False),
                F.pixel_unshuffle(x, 2),
                F.pad(x, [1, 2, 0, 1], mode="reflect"),
                F.pad(x, [1, -1], value=2.5),
            )

    return scripted(Resampling(), torch.randn(2, 3, 8, 8))


@archive
def interpolate_to_size_of_other():
    class Match(nn.Module):
        def forward(self, x, y):
            return F.interpolate(x, size=y.shape[-2:], mode="bilinear", align_corners=False) + y

    return scripted(Match(), torch.randn(1, 2, 4, 4), torch.randn(1, 2, 9, 7))


@archive
def optimized_for_inference_linear():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    frozen = torch.jit.freeze(torch.jit.script(model))
    return Made(torch.jit.optimize_for_inference(frozen), (torch.randn(3, 8),), model)


@archive
def frozen():
    model = with_random_statistics(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()))
    return Made(torch.jit.freeze(torch.jit.script(model)), (torch.randn(1, 3, 5, 5),), model)


@archive
def scripted_function():
    @torch.jit.script
    def scale_and_shift(x: torch.Tensor, scale: float, shift: int = 3):
        return torch.relu(x * scale) + shift

    return Made(scale_and_shift, (torch.randn(3, 4), 1.5, 2))


@archive
def traced_function():
    def mix(x, y):
        return (x @ y).tanh(), x.sum() + y.mean()

    return traced(mix, torch.randn(3, 4), torch.randn(4, 5))


@archive
def weight_norm():
    model = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    return traced(model, torch.randn(2, 4))


@archive
def trained_statistics_then_eval():
    # Traced in training mode, then evaluated: the archive keeps batch statistics, and folding must not use the others.
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
    return traced(model, torch.randn(4, 3, 5, 5))
