"""Rows in order and what is chosen from them. On the host none is left to LibTorch (tests/engine/by_index_test.cpp)."""

import torch

from registry import archive, traced

NAN, INFINITY = float("nan"), float("inf")
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
DTYPES = [*FLOATS, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]


def tied(*sizes, dtype, distinct=7):
    """Many equal elements; of floats zeros of both signs, infinities and NaN as well."""
    x = torch.randint(-3, distinct - 3, sizes).to(dtype)
    if dtype.is_floating_point:
        chance = torch.rand(sizes)
        for most, value in ((0.02, NAN), (0.04, INFINITY), (0.06, -INFINITY), (0.16, -0.0)):
            x = torch.where(chance.lt(most) & chance.ge(most - 0.02), torch.tensor(value, dtype=dtype), x)
    return x


def each_dtype(function, sizes, dtypes=DTYPES):
    def forward(*tensors):
        return tuple(result for x in tensors for result in function(x))

    return traced(forward, *(tied(*sizes, dtype=dtype) for dtype in dtypes))


@archive
def first_few():
    def choose(x):
        results = []
        for k, dim, largest, ordered in ((2, -1, True, True), (5, 0, False, True), (3, 1, True, False), (20, 2, False, False)):
            results += [*x.topk(k, dim, largest, ordered)]
        turned = x.permute(2, 0, 1)
        return (*results, *turned.topk(4, 0), *x[:, ::2, 1:].topk(3, -2, False), *x.flatten().topk(6), *x[0, 0, 0].topk(1))

    return each_dtype(choose, (5, 6, 40))


@archive
def first_of_long_rows():
    """Where LibTorch sorts a part, and where several threads share the rows."""

    def forward(scores, votes):
        best, places = scores.topk(100)
        return best.sigmoid(), places % 128, *votes.topk(3, 1), *scores.relu().topk(7, sorted=False), scores.topk(1)[1], votes.topk(2, 1)[0]

    return traced(forward, torch.randn(3, 16384), tied(4, 300, 40, dtype=torch.float32))


@archive
def experts():
    """A mixture's routing."""

    def forward(x, gate):
        weights, chosen = (x @ gate).softmax(-1).topk(2, dim=-1)
        return weights / weights.sum(-1, keepdim=True), chosen, torch.zeros(x.size(0), gate.size(1)).scatter(1, chosen, weights)

    return traced(forward, torch.randn(24, 16), torch.randn(16, 8))


@archive
def nothing_chosen():
    def forward(x):
        return (*x.topk(0), *x[:0].topk(2), *x[:, :0].topk(0, 1), *x[:, :0].topk(2, 0))

    return traced(forward, torch.randn(4, 5))


@archive
def sorted_rows():
    def sort(x):
        results = []
        for dim, descending, stable in ((-1, False, False), (0, True, False), (1, False, True), (2, True, True)):
            results += [*torch.sort(x, dim=dim, descending=descending, stable=stable), x.argsort(dim, descending)]
            results.append(torch.argsort(x, dim=dim, descending=descending, stable=stable))
        turned = x.permute(2, 0, 1)
        return (*results, *turned.sort(0), turned.argsort(), *x[:, ::2, 1:].sort(-2), x.msort(), *x.flatten().sort(), *x[0, 0, 0].sort())

    return each_dtype(sort, (5, 6, 40), [*DTYPES, torch.bool])


@archive
def sorted_long_rows():
    """Many integers of one dim LibTorch sorts in another way, and what is expanded it doesn't sort."""

    def forward(x, ids, classes):
        order = ids.argsort()
        a = *x.sort(), *x.sort(descending=True), *x.relu().sort(), order, ids[order], *ids.sort(descending=True)
        return *a, *classes.sort(), *x[0, :300].expand(2, -1).sort(0), *x[:, :1].expand(-1, 40).sort(-1), *x[:, :0].sort()

    x, ids = torch.randn(3, 4000), torch.randint(-9, 9, (40000,))
    return traced(forward, x, ids, torch.randint(0, 5, (3, 4000)).to(torch.uint8))


@archive
def ranked():
    """Sums of the probable, as samplers make them, and places in order as indices."""

    def forward(x, y):
        values, places = torch.sort(x, dim=-1, descending=True)
        keep = values.softmax(-1).cumsum(-1) < 0.9
        return torch.zeros_like(x).scatter(1, places, values * keep), y[places[:, :3]], places.argsort(-1)

    return traced(forward, torch.randn(6, 50), torch.randn(50, 4))


@archive
def places_in_order():
    def search(x):
        rows = x[:, :3].sort().values
        places = [torch.searchsorted(rows, x[:, 3:]), torch.searchsorted(rows, x[:, 3:], right=True), torch.searchsorted(rows, x[:, :3], side="right")]
        places += [torch.searchsorted(x[:, :3], x[:, 3:], out_int32=True), torch.searchsorted(rows[0, 0], x.permute(2, 0, 1))]
        places += [torch.searchsorted(rows[..., ::2], x[:, ::2, :5]), torch.bucketize(x, rows[1, 1]), torch.bucketize(x.transpose(0, 1), rows[0, 0, ::3], right=True)]
        return *places, torch.bucketize(x[0, 0, 0], rows[0, 0]), torch.bucketize(x[:0], rows[0, 0]), torch.searchsorted(rows[..., :0], x[:, :3])

    return each_dtype(search, (5, 6, 40))


@archive
def histogram():
    """As much as several threads share; counts, since devices add in any order."""

    def forward(x, edges):
        bins = torch.bucketize(x, edges)
        return bins, torch.zeros(65).scatter_add(0, bins.flatten(), torch.ones_like(x).flatten())

    return traced(forward, torch.randn(300, 400), torch.linspace(-3, 3, 64))
