"""Operators that move elements or choose among them by their place. On a device whose kernels take gathers and scatters
none of them is left to LibTorch: tests/cuda_plans/moves_test.cpp."""

import torch
from torch.nn import functional as F

from registry import archive, traced

EDGES = (float("nan"), float("inf"), -float("inf"), -0.0)


def image(dtype=torch.float32):
    """Odd sizes, seen through strides that no kernel would choose, with the values that arithmetic would lose."""
    x = (torch.randn(2, 5, 3, 7) * 10).to(dtype).permute(0, 2, 3, 1)
    if dtype.is_floating_point:
        x[0, 0, 0, :4] = torch.tensor(EDGES, dtype=dtype)
    return x


def each_dtype(function):
    """One archive of a function over every dtype that it moves alike."""
    dtypes = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
    dtypes += [torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool]

    def forward(*tensors):
        return tuple(result for x in tensors for result in function(x))

    return traced(forward, *(image(dtype) for dtype in dtypes))


@archive
def flips_and_rolls():
    def move(x):
        a = x.flip([1, -1]), x.flip([0]), torch.fliplr(x), torch.flipud(x)
        b = x.roll([1, -2], [0, 3]), x.roll(5), x.roll(-1, -1), x.roll([1, 2], [1, 1])
        return a + b + (torch.rot90(x, 1, [1, 2]), torch.rot90(x, 2), torch.rot90(x, 3, [-1, 0]))

    return each_dtype(move)


@archive
def repeats():
    def move(x):
        a = x.repeat(2, 1, 2, 1, 3), x.repeat(1, 1, 1, 1), x[:, :1].repeat(1, 4, 1, 1)
        b = torch.tile(x, (2, 2)), torch.tile(x, (2, 1, 1, 1, 1)), x[0, 0, 0, 0].repeat(3)
        return a + b + (x.repeat_interleave(3, 1), x.repeat_interleave(2), x.repeat_interleave(2, -1))

    return each_dtype(move)


@archive
def windows_as_columns():
    def unfold(x):
        a = F.unfold(x, (3, 2)), F.unfold(x, 2, padding=1, stride=2), F.unfold(x, 2, dilation=(1, 3), padding=(2, 0))
        b = F.unfold(x[0], (1, 3), stride=(1, 2)), F.unfold(x[:, :1, :, ::2], 2).relu()
        return a + b

    # LibTorch refuses integers.
    tensors = [image(dtype) for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16)]
    return traced(lambda *xs: tuple(y for x in xs for y in unfold(x)), *tensors)


@archive
def columns_as_windows():
    """Windows beside each other, over each other, with gaps between them, and past the image."""

    def fold(x):
        a = F.fold(x[..., :12], (6, 8), 2, stride=2), F.fold(x[..., :35], (6, 8), 2), F.fold(x[0, :, :35], (6, 8), 2).relu()
        b = F.fold(x[..., :16], (7, 8), (3, 4), padding=1, stride=2), F.fold(x[..., :12], (5, 7), 3, padding=1, stride=2)
        c = F.fold(x[..., :4], (6, 10), (2, 3), stride=(3, 5)), F.fold(x[:, :20, :24].transpose(1, 2), (7, 5), (3, 2))
        return a + b + c + (F.fold(x[..., :4], (3, 3), 1, padding=1, stride=4), F.fold(x[:, :, 1:25:2], (6, 8), 2, stride=2))

    tensors = [torch.randn(2, 36, 35).to(dtype) for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16)]
    tensors[0][0, 3, 5], tensors[1][1, 2, 4] = float("inf"), float("nan")
    return traced(lambda *xs: tuple(y for x in xs for y in fold(x)), *tensors)


@archive
def slices_scattered():
    def move(x):
        y = x.flip([0])
        return (
            torch.select_scatter(x, y[:, 0], 1, 1),
            torch.select_scatter(x, y[..., 0], -1, -2),
            torch.slice_scatter(x, y[:, :1], 1, 1, 2),
            torch.slice_scatter(x, y[..., :2], -1, 1, None, 2),
            torch.slice_scatter(x, y[..., :3], 3, -4, -1),
            torch.slice_scatter(x, y, 0),
        )

    return each_dtype(move)


@archive
def triangles():
    def move(x):
        return x.triu(), x.triu(1), x.tril(-1), x.tril(2), x[0, 0].triu(-2), x.tril(-20), x.triu(-20)

    return each_dtype(move)


@archive
def fills():
    def move(x):
        scratch = torch.empty_like(x)
        scratch[:, 1:] = x[:, 1:]
        scratch[:, :1] = 3
        zeros = torch.zeros(2, 7, dtype=x.dtype)
        zeros[:, 1:5] = x[:, 0, 0, :4]
        a = torch.zeros_like(x), torch.ones_like(x), torch.full_like(x, 2), x.new_zeros([3, 1]), x.new_full([2, 2], 1)
        return a + (torch.full_like(x, 0.5, dtype=torch.float32), scratch, zeros)

    return each_dtype(move)


@archive
def diagonals():
    def move(x):
        line, matrix = x[0, 0, 0], x[0, :, :, 1]
        a = torch.diag(line), torch.diag(line, 2), torch.diag(matrix), torch.diag(matrix.t(), -1), torch.diag(matrix, 9)
        b = torch.diagflat(line, -1), torch.diag_embed(x), torch.diag_embed(x[0], -2, 0, 2), torch.diag_embed(line, 1, -1, -2)
        c = torch.diagonal_scatter(matrix, line[:3]), torch.diagonal_scatter(x, x[:, 0, :, :2], 1, -1, 1)
        return a + b + c + (torch.diagonal_scatter(matrix.t(), line[:3], -1), torch.diagonal_scatter(matrix, line[:0], 20))

    return each_dtype(move)


@archive
def diagonals_of_kernels():
    def forward(x, y):
        square = (x @ y).relu()
        sums = torch.trace(square), torch.trace(square.t() * 2), torch.trace(x), torch.trace(y.double()) + 1
        return sums + (torch.diag(square).exp(), torch.diag(x.sum(1)) * 2 + square, torch.diagonal_scatter(square, x[:, 0]).sum(0))

    return traced(forward, torch.randn(6, 9), torch.randn(9, 6))


@archive
def diagonals_filled():
    """In place, between readers: of what the model makes and of views of it."""

    def fill(x):
        y = x[0].clone()
        first = y.sum((0, 1))
        y[:, :, 0].fill_diagonal_(2)
        second, cube = y.flip(0), x[1, :2, :2, :2].clone()
        y[1].t().fill_diagonal_(3, wrap=True)
        cube.fill_diagonal_(1)
        third = cube.flip(1)
        cube.add_(cube).transpose(0, 2)[1].fill_diagonal_(0)
        return first, second, y, cube, third

    return each_dtype(fill)


@archive
def fused_moves():
    """Each with pointwise operators before and after it."""

    def forward(x, y, labels):
        a = torch.relu((x * 2).flip([1]) + y)
        b = torch.tanh(torch.roll(x + y, 1, 0)) * y.repeat(1, 1)
        c = torch.softmax((x * y).tril() + torch.zeros_like(x), -1)
        d = F.one_hot(labels + 1, 9).to(torch.float32) * 0.9 + 0.01
        e = torch.slice_scatter(x * 3, y[:, 1:3] - 1, 1, 2, 4).exp()
        f = torch.full_like(y, 1e-3).add(x) * torch.gather(x, 1, (labels * 0 + 1).expand(6, -1)).mean()
        return a, b, c, d, e, f

    return traced(forward, torch.randn(6, 7), torch.randn(6, 7), torch.tensor([0, 3, 7, 5, 2]))


@archive
def moves_of_nothing():
    """No elements, one element, no dims."""

    def forward(x, y, z):
        empty = x.flip([0]), x.roll(1, 0), x.repeat(2, 1), x.triu(), torch.zeros_like(x), x.repeat_interleave(2, 1)
        return empty + (y.flip([0]), y.roll(1), y.repeat(3), z.flip([]), z.repeat(2, 2), z + torch.ones_like(z))

    return traced(forward, torch.randn(0, 3), torch.randn(1), torch.tensor(2.5))


@archive
def borders():
    """Pads that repeat the image around it: mirrored, its last pixels, its other end."""

    def forward(x, volume, line):
        mirrored = F.pad(x, (1, 2, 3, 0), "reflect"), F.pad(line, (4, 4), mode="reflect")
        last = F.pad(x, (0, 3, 2, 2), "replicate"), F.pad(volume, (1, 1, 2, 0, 0, 1), mode="replicate")
        around = F.pad(x, (2, 1, 0, 2), "circular") * 2
        return mirrored + last + (around, F.pad(torch.relu(x), (2, 2, 2, 2), "reflect").exp())

    x = torch.randn(2, 3, 5, 7)
    x[0, 0, 0, :4] = torch.tensor(EDGES)
    return traced(forward, x, torch.randn(1, 2, 3, 4, 5), torch.randn(2, 3, 40)[:, :, ::2])


@archive
def rows_across_memory():
    """Reductions over dims that are not the last, and norms whose weights change within a row."""

    def forward(x, image, weight):
        a = x.softmax(1), x.log_softmax(0), x.sum((0, 2)), x.amax(0), x.var(1), x.logsumexp(1)
        b = F.group_norm(image, 3, weight, weight), F.instance_norm(image, None, None, weight, weight)
        nhwc = image.contiguous(memory_format=torch.channels_last)
        c = F.group_norm(nhwc, 2, weight, weight), nhwc.mean((2, 3)), F.layer_norm(nhwc.permute(0, 2, 3, 1), (6,), weight)
        for half in (torch.bfloat16, torch.float16):
            c += (F.group_norm(nhwc.to(half), 3, weight.to(half), weight.to(half)),)
        return a + b + c + (F.avg_pool2d(image, 3, 1, 1, count_include_pad=False), image.mean(1, keepdim=True))

    x = torch.randn(4, 300, 5)
    x[0, 0, 0], x[1, 2, 1], x[2, 3, 2] = EDGES[0], EDGES[1], EDGES[2]
    return traced(forward, x, torch.randn(2, 6, 9, 11), torch.randn(6))
