"""Reads and writes at places that tensors name. On the host none is left to LibTorch (tests/engine/by_index_test.cpp)."""

import torch
from torch.nn import functional as F

from registry import archive, traced

NAN = float("nan")
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]


def each_dtype(function, *indices, dtypes=DTYPES):
    """Small whole numbers, so that sums are exact in every dtype."""

    def forward(*tensors):
        given, named = tensors[: len(dtypes)], tensors[len(dtypes) :]
        return tuple(result for x in given for result in function(x, *named))

    return traced(forward, *(torch.randint(0, 5, (6, 4, 5)).to(dtype) for dtype in dtypes), *indices)


@archive
def reads():
    def read(x, i, j):
        y = x.permute(2, 0, 1)
        rows = x[i], y[i, :, j[0]], x[:, j], x[i - 4, j], x[:, i[0], j[0]], x[i, 1:, j + 1], x[i[:, :1], j[:1], i[0]]
        a = x.index_select(0, i[0]), y.index_select(1, i[1]), y.index_select(-1, j[0].to(torch.int32))
        b = x.gather(0, x.new_zeros([4, 3, 2]).long() + i[0, 0]), y.gather(-1, (j[0] + 0 * i)[None]), y.gather(0, i.view(3, 2, 1))
        return rows + a + b + (x[i.to(torch.int32)], x[:, :, 1][i[1], j[1]])

    i, j = torch.tensor([[3, 0, 1], [2, 2, 0]]), torch.tensor([[1, 3, 0], [2, 0, 2]])
    return each_dtype(read, i, j, dtypes=[*DTYPES, torch.bool])


@archive
def taken():
    def read(x, i):
        y = x.permute(2, 0, 1)
        a = x.take(i), y.take((i - 40).repeat(8, 5)), x.take(i[0, 0]), x[0].take(i.t() % 20)
        return a + (x[:, ::2].take((i % 60).repeat(5, 2)), x[:0].take(i[:0]))

    return each_dtype(read, torch.tensor([[30, 0, 119], [41, 1, 99]]), dtypes=[*DTYPES, torch.bool])


@archive
def rows_of_columns():
    """Indices that are columns of one tensor, and tables whose rows lie apart or across memory."""

    def forward(table, ids):
        a = F.embedding(ids[:, 0], table), F.embedding(ids[:, 1:], table), F.embedding(ids.t(), table[:, 1:4])
        return a + (F.embedding(ids[::2, 2], table.t()[:, ::3]) * 2, table[ids[:, 1], ids[:, 2]].relu())

    return traced(forward, torch.randn(9, 9), torch.randint(0, 9, (5, 3)))


@archive
def classes():
    def forward(labels):
        narrow = labels.to(torch.int32).long()
        return F.one_hot(labels, 6), F.one_hot(labels.t(), 6).float() * 2, F.one_hot(narrow[:, 0], 9), F.one_hot(labels[:0], 3)

    return traced(forward, torch.randint(0, 6, (4, 3)))


@archive
def sums():
    def add(x, elements, rows):
        a = x.scatter_add(0, elements, x), x.scatter_add(-1, elements[..., ::2], x[..., ::2])
        b = torch.index_add(x, 0, rows, x[:4], alpha=2), torch.index_add(x.permute(2, 1, 0), 1, rows, x.permute(2, 1, 0))
        c = x.index_put((rows, rows), x[:4, 0], accumulate=True), x.index_put((rows,), x[0, 0], accumulate=True)
        return a + b + c + (x.scatter_add(1, rows.view(1, 4, 1).expand(6, 4, 5), x),)

    return each_dtype(add, torch.randint(0, 4, (6, 4, 5)), torch.tensor([1, 0, 1, 2]))


@archive
def extremes():
    def forward(x, whole, index):
        results, halves = [], x.round().half()  # whole, since devices add halves in any order
        for how in ("amax", "amin", "prod", "sum", "mean"):
            # A mean of integers is a division, which LibTorch checks.
            for source in (x, halves, x.double()) if how == "mean" else (x, halves, x.double(), whole):
                wide = index[:, :1].expand(-1, 4)
                results += [torch.full_like(source, 2).scatter_reduce(0, index, source, how), source.scatter_reduce(0, wide, source, how)]
                results.append(source.scatter_reduce(0, index, source + 1, how, include_self=False))
                results.append(source[:, :2].scatter_reduce(1, index % 2, source, how, include_self=False))
        return tuple(results)

    x = torch.randn(6, 4)
    x[0, 0], x[1, 1], x[2, 0] = NAN, NAN, float("inf")
    return traced(forward, x, torch.randint(-3, 4, (6, 4)), torch.randint(0, 5, (6, 4)))


@archive
def writes():
    def replace(x, rows):
        order = (torch.arange(4)[:, None] + rows[1] * 4 + torch.arange(5)).remainder(4).expand(6, -1, -1)
        a = x.scatter(1, order, x * 2), x.scatter(1, order, 3), x.scatter(1, order[:3, :, :2], x[..., 1:])
        b = x.index_copy(2, rows, x[:, :, :3] + 1), x.index_fill(1, rows, 2), x.index_fill(-1, rows - 3, 1)
        c = x.index_put((rows - 3,), x[:3] + 1), x.index_put((rows, rows), x[0, 0]), x.index_put((rows[:, None], rows), x[0, :1, 0])
        return a + b + c

    return each_dtype(replace, torch.tensor([2, 0, 1]))


@archive
def many():
    """As much as several threads share."""

    def forward(x, rows, columns):
        a = x[rows].relu(), x.index_select(1, columns), x.gather(1, columns.expand(300, -1)), x[rows[:, None], columns]
        b = torch.zeros(40, 500).index_add(0, rows % 40, x), torch.zeros(300, 70).scatter_add(1, columns.expand(300, -1) % 70, x)
        return a + b + (torch.zeros(300, 500).scatter_reduce(0, rows[:, None].expand(-1, 500) % 9, x, "amax"), F.one_hot(rows, 300))

    return traced(forward, torch.randn(300, 500), torch.randint(0, 300, (300,)), torch.randint(0, 500, (500,)))


@archive
def nothing_named():
    def forward(x, i):
        a = x[i[:0]], x[i[:0], i[:0]], x.gather(0, i[:0, None]), x.index_select(1, i[:0])
        b = x.scatter_add(0, i[:0, None], x), x.index_add(0, i[:0], x[:0]), x.index_put((i[:0], i[:0]), x[0, :0])
        return a + b + (x.scatter_reduce(0, i[:0, None], x, "amax"),)

    return traced(forward, torch.randn(4, 5), torch.tensor([2, 0]))


@archive
def masks():
    """A number where a mask says."""

    def forward(x, whole, mask):
        y = x * 2
        y[mask] = 0.0
        y[:, mask[0]] = float("-inf")
        z = whole.clone()
        z[z > 2] = 7
        x[x < 0] = 0.5
        return y, z, x.index_put((mask,), torch.tensor([3.0])), x + 1

    return traced(forward, torch.randn(4, 5, 3), torch.randint(0, 5, (3, 4)), torch.rand(4, 5) > 0.5)
