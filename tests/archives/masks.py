"""The next elements of a tensor where a mask says. On the host none is left to LibTorch (tests/engine/by_index_test.cpp)."""

import torch
from torch.nn import functional as F

from by_index import DTYPES, each_dtype
from registry import archive, traced


@archive
def masked_elements():
    """The next element of a source wherever a mask is true: masks broadcast, sources may lie across memory."""

    def put(x, wide, mask):
        wide = wide.to(x.dtype)
        y = x.permute(2, 0, 1)
        a = x.masked_scatter(mask, wide), x.masked_scatter(mask[:, :1, :1], wide)
        b = y.masked_scatter(mask.permute(2, 0, 1), x.permute(1, 2, 0)), x.masked_scatter(mask[0], x + x)
        c = x.clone().masked_scatter_(mask[..., :1], wide), x[:, :, 0].masked_scatter(mask[0, 0, 0], x)
        return a + b + c + (x[:0].masked_scatter(mask[:0], x), x.masked_scatter(mask[:, :1] & ~mask[:, :1], x[0, 0, :1]))

    return each_dtype(put, torch.randint(-9, 0, (130,)), torch.rand(6, 4, 5) > 0.5, dtypes=[*DTYPES, torch.bool])


@archive
def image_tokens():
    """As vision-language models have them: rows of one tensor in the place of some rows of another."""

    def forward(ids, table, image):
        tokens = F.embedding(ids, table)
        places = (ids == 3).unsqueeze(-1).expand_as(tokens)
        return tokens.masked_scatter(places, image * 2) + 1

    ids = torch.tensor([[1, 3, 3, 0, 3, 2], [3, 4, 3, 1, 0, 0]])
    return traced(forward, ids, torch.randn(5, 16), torch.randn(1, 5, 16))
