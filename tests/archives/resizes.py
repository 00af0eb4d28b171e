"""Images resized, in every mode and by every way to say how large: none of them is left to LibTorch on a device whose
kernels take gathers (tests/cuda_plans/moves_test.cpp)."""

import torch
from torch.nn import functional as F

from registry import archive, traced


def with_edges(x):
    x[0, 0, ..., 1] = torch.tensor(float("inf"))
    x[0, 1, ..., 0] = torch.tensor(float("nan"))
    return x


@archive
def nearest():
    def forward(*images):
        results = []
        for x in images:
            for mode in ("nearest", "nearest-exact"):
                results.append(F.interpolate(x, size=(5, 17), mode=mode))
                results.append(F.interpolate(x, scale_factor=2.0, mode=mode))
                results.append(F.interpolate(x, scale_factor=(0.6, 1.7), mode=mode))
                results.append(F.interpolate(x, scale_factor=(0.6, 1.7), mode=mode, recompute_scale_factor=True))
        return tuple(results)

    x = with_edges(torch.randn(2, 3, 7, 9))
    last = x.contiguous(memory_format=torch.channels_last)
    byte = (x.nan_to_num(0, 0, 0) * 50).to(torch.uint8)
    return traced(forward, x, last, x[:, :, ::2, 1:], x.to(torch.float16), x.to(torch.bfloat16), x.double(), byte)


@archive
def linear():
    def forward(*images):
        results = []
        for x in images:
            for corners in (False, True):
                options = {"mode": "bilinear", "align_corners": corners}
                results.append(F.interpolate(x, size=(5, 17), **options))
                results.append(F.interpolate(x, size=(1, 9), **options))
                results.append(F.interpolate(x, scale_factor=2.0, **options))
                results.append(F.interpolate(x, scale_factor=(0.6, 1.7), **options))
        return tuple(results)

    x = torch.randn(2, 3, 7, 9)
    last = x.contiguous(memory_format=torch.channels_last)
    return traced(forward, x, last, x[:, :, ::2, 1:], x.to(torch.float16), x.to(torch.bfloat16), x.double())


@archive
def cubic():
    def forward(*images):
        results = []
        for x in images:
            for corners in (False, True):
                options = {"mode": "bicubic", "align_corners": corners}
                results.append(F.interpolate(x, size=(5, 17), **options))
                results.append(F.interpolate(x, scale_factor=(0.6, 2.0), **options))
        return tuple(results)

    x = torch.randn(2, 3, 7, 9)
    return traced(forward, x, x.contiguous(memory_format=torch.channels_last), x[:, :, ::2, 1:], x.double())


@archive
def lines_and_volumes():
    def forward(line, volume):
        a = F.interpolate(line, size=11), F.interpolate(line, scale_factor=3.0), F.interpolate(line, size=4, mode="linear")
        b = F.interpolate(line, scale_factor=2.5, mode="linear", align_corners=True)
        c = F.interpolate(volume, size=(2, 7, 5)), F.interpolate(volume, size=(5, 3, 6), mode="trilinear")
        return a + (b,) + c + (F.interpolate(volume, scale_factor=2.0, mode="trilinear", align_corners=True),)

    return traced(forward, torch.randn(2, 3, 7), torch.randn(1, 2, 3, 4, 5))


@archive
def resized_with_neighbours():
    """A decoder's step: what is added and what follows are part of the resize."""

    def forward(x, skip):
        up = F.interpolate(torch.relu(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        near = F.interpolate(x, size=skip.shape[-2:], mode="nearest")
        return torch.sigmoid(up + skip) * 2, (near * skip).relu()

    return traced(forward, torch.randn(2, 4, 6, 5), torch.randn(2, 4, 12, 10))


@archive
def resized_many_ways():
    """Wide and narrow images, many and few channels, to one row, one column and the same size."""

    def forward(*images):
        results = []
        for x in images:
            for size in ((1, 40), (33, 1), (16, 16), (21, 70), (7, 70)):
                results.append(F.interpolate(x, size=size, mode="bilinear", align_corners=False))
                results.append(F.interpolate(x, size=size, mode="bilinear", align_corners=True))
                results.append(F.interpolate(x, size=size, mode="bicubic", align_corners=False))
            results.append(F.interpolate(x, scale_factor=4.0, mode="bilinear", align_corners=False))
        return tuple(results)

    x = torch.randn(1, 37, 16, 16)
    return traced(forward, x, x.contiguous(memory_format=torch.channels_last), x[:, 3:6], x[:, :1, :1, :1])
