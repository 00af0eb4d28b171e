"""embedding_bag in each mode; on a device it is a kernel of Torchweld's (tests/cuda_plans/moves_test.cpp)."""

import torch
from torch import nn
from torch.nn import functional as F

from registry import archive, traced

# Where bags begin follows from how long they are, so that other values and shapes are good calls too: LibTorch checks
# offsets on the host and trusts them on a device.
LENGTHS = torch.tensor([3, 0, 4, 4, 3])


class Bags(nn.Module):
    def __init__(self, dtype, columns):
        super().__init__()
        self.table = nn.Parameter(torch.randn(30, columns).to(dtype))

    def forward(self, ids, lengths, weights):
        table, weights = self.table, weights.to(self.table.dtype)
        ends = torch.cumsum(lengths, 0)
        offsets, ends = ends - lengths, F.pad(ends, [1, 0])
        results = []
        for mode in ("sum", "mean", "max"):
            results.append(F.embedding_bag(ids, table, offsets, mode=mode))
            results.append(F.embedding_bag(ids, table, offsets, mode=mode, padding_idx=-3))
            results.append(F.embedding_bag(ids, table, ends, mode=mode, include_last_offset=True))
            results.append(F.embedding_bag(ids.view(-1, 7), table, mode=mode).relu() + 1)
        results.append(F.embedding_bag(ids, table, offsets, mode="sum", per_sample_weights=weights))
        results.append(F.embedding_bag(ids.to(torch.int32), table, offsets.to(torch.int32), mode="mean"))
        return tuple(results)


def inputs():
    ids = torch.randint(0, 30, (14,))
    ids[[2, 5, 6]] = 27
    return ids, LENGTHS, torch.randn(14)


@archive
def bags_f32():
    return traced(Bags(torch.float32, 8), *inputs())


@archive
def bags_of_odd_width():
    return traced(Bags(torch.float32, 5), *inputs())


@archive
def bags_f64():
    return traced(Bags(torch.float64, 3), *inputs())


@archive
def bags_f16():
    return traced(Bags(torch.float16, 16), *inputs())


@archive
def bags_between_pointwise_operators():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = nn.EmbeddingBag(20, 4, mode="sum", padding_idx=1)

        def forward(self, ids, lengths, dense):
            offsets = torch.cumsum(lengths, 0) - lengths
            return torch.sigmoid(self.bag((ids + 1) % 20, offsets) * dense)

    return traced(Model(), torch.randint(0, 60, (14,)), LENGTHS, torch.randn(5, 4))
