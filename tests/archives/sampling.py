"""Images whose pixels are dealt out or read elsewhere, and long lists of pieces. On the host none is left to LibTorch
(tests/engine/by_index_test.cpp)."""

import torch
from torch.nn import functional as F

from registry import archive, traced


@archive
def pixel_shuffles():
    def forward(x, y, z):
        a = F.pixel_shuffle(x, 2), F.pixel_shuffle(x.permute(0, 1, 3, 2), 3), F.pixel_shuffle(x[0], 6), F.pixel_shuffle(x[:, :9] * 2, 3)
        b = F.pixel_unshuffle(y, 2), F.pixel_unshuffle(y[1].transpose(1, 2), 3), F.pixel_unshuffle(y[0, 0], 6)
        return a + b + (F.pixel_shuffle(z, 2), F.pixel_shuffle(x.half(), 2), F.pixel_shuffle(x, 1))

    return traced(forward, torch.randn(2, 36, 3, 4), torch.randn(2, 6, 6, 6, 6), torch.randint(0, 9, (1, 4, 2, 2)))


@archive
def affine_grids():
    def forward(theta):
        a = F.affine_grid(theta, [3, 2, 5, 7], align_corners=True), F.affine_grid(theta, [3, 1, 6, 4], align_corners=False)
        b = F.affine_grid(theta.double(), [3, 1, 1, 9], align_corners=True), F.affine_grid(theta * 2, [3, 1, 8, 1], align_corners=False)
        return a + b + (F.affine_grid(theta.transpose(0, 1)[:, :2, :].reshape(2, 2, 3), [2, 1, 4, 4], align_corners=False).relu(),)

    return traced(forward, torch.randn(3, 2, 3))


@archive
def many_pieces():
    def forward(x, nothing):
        pieces = [torch.sin(x * 1.5**i) if i % 2 else x + i for i in range(40)]
        a = torch.cat(pieces, 1), torch.stack(pieces[:25], -1), torch.cat([nothing, *pieces[:2], nothing], 0)
        return a + (torch.cat([nothing, x]), torch.stack(pieces[:20]).relu(), torch.cat([p[:, :1] for p in pieces], -1))

    return traced(forward, torch.randn(5, 3), torch.randn(0))
