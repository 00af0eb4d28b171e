"""Writes to places that a tensor names: none is left to LibTorch on a device whose kernels scatter
(tests/cuda_plans/moves_test.cpp). Where nothing is added no place is named twice, since ATen then promises no winner."""

import torch

from registry import archive, scripted, traced

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int8, torch.uint8]


def each_dtype(function, *indices):
    """Small whole numbers, so that sums are exact in every dtype and every order."""

    def forward(*tensors):
        given, named = tensors[: len(DTYPES)], tensors[len(DTYPES) :]
        return tuple(result for x in given for result in function(x, *named))

    return traced(forward, *(torch.randint(0, 5, (6, 4, 5)).to(dtype) for dtype in DTYPES), *indices)


@archive
def additions():
    def add(x, elements, rows):
        source = x[:4, :, ::2].contiguous()
        a = x.scatter_add(0, elements, x), x.scatter_add(-1, elements, x.flip([0]))
        b = x.scatter_reduce(1, elements[:, :3], source.repeat(2, 1, 2), "sum"), x.transpose(0, 1).scatter_add(2, elements[:4], x)
        c = torch.index_add(x, 2, rows, x[:, :, :4] + 1), torch.index_add(x, 1, rows, x.repeat(1, 2, 1)[:, :4], alpha=2)
        return a + b + c + (x.index_put((rows,), x[:4], accumulate=True), x.index_put((rows,), x[0, 0], accumulate=True))

    return each_dtype(add, torch.randint(0, 4, (6, 4, 5)), torch.tensor([1, 0, 1, 2]))


@archive
def replacements():
    def replace(x, elements, rows):
        a = x.scatter(1, elements, x * 2), x.scatter(1, elements, 3), x.scatter(1, elements[:3, :, :2], x[..., 1:])
        b = x.index_copy(2, rows, x[:, :, :3] + 1), x.index_fill(1, rows, 2), x.index_fill(-1, rows - 3, 1)
        c = x.index_put((rows - 3,), x[:3] + 1), x.index_put((rows,), x[0, :1]), x.permute(2, 0, 1).index_put((rows,), x[:3, 0, 0, None, None])
        return a + b + c

    elements = torch.stack([torch.randperm(4) for _ in range(30)], 1).view(4, 6, 5).transpose(0, 1)
    return each_dtype(replace, elements, torch.tensor([2, 0, 1]))


@archive
def fused_scatters():
    """What is written and where is computed by the same kernel; the copy of the target comes before."""

    def forward(x, y, index, values):
        a = torch.zeros_like(x).scatter_add(0, (index + 1) % 4, torch.relu(values) * 2) * 3 + y
        b = (x + y).index_add(0, index[:, 0] % 4, (values - 1).tanh())
        c = torch.softmax(b.scatter(1, index[:4] % 1 + torch.arange(5), values[:4].exp()), -1)
        return a, b, c

    return traced(forward, torch.randn(4, 5), torch.randn(4, 5), torch.randint(0, 9, (7, 5)), torch.randn(7, 5))


@archive
def rows_written_in_place():
    """A cache's step: what was there before stays readable before it is written."""

    class Cache(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("rows", torch.zeros(8, 3))

        def forward(self, x, where):
            before = self.rows * 2
            self.rows.index_copy_(0, where, x + 1)
            middle = self.rows + before
            self.rows[where] = x * middle[where]
            self.rows.index_add_(0, where, x)
            self.rows.scatter_add_(0, where[:, None].expand(-1, 3), x)
            return before, middle, self.rows + 0, self.rows[where].flip([0])

    return scripted(Cache(), torch.randn(4, 3), torch.tensor([6, 0, 3, 5]))


@archive
def scatters_of_nothing():
    def forward(x, index, empty):
        a = x.scatter_add(0, index[:0], x), x.index_add(0, index[:0, 0], x[:0]), x.scatter(1, index[:, :0], 2.0)
        return a + (x.index_put((index[:0, 0],), x[:0]), x.index_fill(0, index[:0, 0], 1.0))

    return traced(forward, torch.randn(4, 5), torch.randint(0, 4, (4, 5)), torch.randn(0, 3))
