"""Rows of integers, truth, places of extremes and running sums: tests/fusion/host_rows_test.cpp says which kernels they
are."""

import torch

from registry import archive, traced

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def rows(dtype, *sizes):
    """Few distinct values, so that extremes tie, and NaN and infinities among floats."""
    x = torch.randint(0 if dtype == torch.uint8 else -3, 4, sizes).to(dtype)
    if dtype.is_floating_point:
        x.view(-1)[3::41] = float("nan")
        x.view(-1)[5::29] = float("inf")
        x.view(-1)[6::29] = -float("inf")
    return x


def over(function, dtypes):
    """One archive of a function over rows of each dtype, along memory, across it and of every second element."""
    tensors = [rows(dtype, 4, 50, 9) for dtype in dtypes]

    def forward(*tensors):
        return tuple(
            y for x in tensors for view in (x, x.transpose(1, 2), x[:, ::2]) for y in function(view)
        )

    return traced(forward, *tensors)


@archive
def extremes_and_places():
    def reduce(x):
        pairs = (x.max(1), x.min(-1, keepdim=True), x.max(0))
        return (*(y for pair in pairs for y in pair), x.argmax(), x.argmin(1), x.argmax(-1, keepdim=True))

    return over(reduce, FLOATS + INTEGERS)


@archive
def extremes_or_places():
    """One of the two results leaves, the other does not."""
    return over(lambda x: (x.max(1)[0] + 1, x.min(2)[1] * 2, x.max(-1, keepdim=True)[1]), FLOATS + INTEGERS)


@archive
def extremes_alone():
    return over(lambda x: (x.amax((0, 2)), x.amin(1, keepdim=True), x.max(), x.min()), INTEGERS + (torch.bool,))


@archive
def sums_of_integers():
    def reduce(x):
        return x.sum(), x.sum(1), x.sum((0, 2), keepdim=True), x.prod(), x.prod(2), x.sum(1, dtype=torch.float32)

    return over(reduce, INTEGERS + (torch.bool,))


@archive
def truth():
    return over(lambda x: (x.any(), x.all(), x.any(1), x.all(-1, keepdim=True)), FLOATS + INTEGERS + (torch.bool,))


@archive
def running_sums():
    def run(x):
        return x.cumsum(0), x.cumsum(1), x.cumsum(-1), x.cumprod(0), x.cumprod(-1), x.cumsum(1, dtype=torch.float64)

    return over(run, FLOATS + INTEGERS + (torch.bool,))


@archive
def rows_of_nothing():
    """Some of these LibTorch refuses, and all have rows without elements or no rows."""

    def reduce(x):
        return x.sum(1), x.any(1), x.cumsum(0), x.cumprod(1), x.argmax(0), x[:0].max(1)[1]

    return traced(reduce, torch.zeros(3, 0, 2, dtype=torch.int32).expand(3, 0, 2).new_zeros(3, 4, 2)[:, :4])


@archive
def many_small_rows_between_kernels():
    """A mask's positions, and what is chosen by them."""

    def forward(scores, mask):
        places = torch.cumsum(mask.int(), 1).type_as(mask) * mask
        best, at = scores.softmax(-1).max(-1)
        return places + 1, best * 2, torch.where(at == 3, best, -best), mask.sum(-1, keepdim=True) - 1

    return traced(forward, torch.randn(6, 11, 5), torch.randint(0, 2, (6, 11)))


@archive
def short_sums_across():
    """Sums of a few elements that lie apart, of images that lie otherwise than the result: branches of a block."""

    def forward(x, gate, doubles, halves):
        results = []
        for branches in (2, 3, 4, 6):
            y = x.permute(0, 3, 1, 2).reshape(2, branches, -1, 9, 8)
            weights = gate[:, :branches, None, None, None].softmax(1)
            results += [y.sum(1), (y * weights).sum(1).relu(), (y.exp() + 1).sum(1, keepdim=True) * 2, y.mean(1)]
        turned = doubles.transpose(0, 2)
        results += [turned.sum(1), halves.permute(0, 3, 1, 2).unflatten(1, (3, 8)).sum(1), torch.stack([x, -x]).sum(0).permute(0, 3, 1, 2).contiguous()]
        return tuple(results)

    x = torch.randn(2, 9, 8, 24)
    x[0, 0, 0] = -0.0
    x[0, 1, 0] = float("inf")
    x[0, 1, 1, ::2] = float("nan")
    return traced(forward, x, torch.randn(2, 6), torch.randn(20, 3, 30).double(), torch.randn(2, 5, 6, 24).half())
