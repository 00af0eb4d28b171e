"""Images whose pixels are dealt out or read elsewhere, grids of places and decoders too, and long lists of pieces. On the host none is left to LibTorch
(tests/engine/by_index_test.cpp)."""

import torch
from torch.nn import functional as F

from registry import archive, scripted, traced


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


def grid(*sizes, dims=2):
    """Coordinates, one in ten of them far outside."""
    places = torch.rand(*sizes, dims) * 2.4 - 1.2
    return torch.where(torch.rand_like(places) < 0.1, places * 9, places)


@archive
def sampled_images():
    def forward(x, places):
        made = []
        for mode in ("bilinear", "nearest", "bicubic"):
            for padding in ("zeros", "border", "reflection"):
                for corners in (False, True):
                    made.append(F.grid_sample(x, places, mode, padding, corners))
        return tuple(made)

    return traced(forward, torch.randn(2, 5, 7, 9), grid(2, 6, 11))


@archive
def sampled_volumes():
    def forward(x, places):
        made = []
        for mode in ("bilinear", "nearest"):
            for padding in ("zeros", "border", "reflection"):
                made += [F.grid_sample(x, places, mode, padding, True), F.grid_sample(x, places, mode, padding, False)]
        return tuple(made)

    return traced(forward, torch.randn(2, 3, 4, 5, 6), grid(2, 3, 2, 7, dims=3))


@archive
def sampled_layouts():
    def forward(x, places, flow):
        last = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        turned = flow.permute(0, 2, 3, 1)
        a = F.grid_sample(last, places, align_corners=False), F.grid_sample(x.transpose(2, 3), turned, "bicubic", "border", True)
        b = F.grid_sample(last, turned.tanh(), "nearest", "reflection", False), F.grid_sample(x.double(), places.double(), align_corners=True)
        one = F.grid_sample(x[:, :1, 2:3, 4:5], places[:, :1, :1], "bicubic", "reflection", True)
        return a + b + (one, F.grid_sample(last[:, 3:7].relu(), places * 0.5, "bicubic", align_corners=False) + 1)

    return traced(forward, torch.randn(2, 19, 8, 6), grid(2, 5, 13), torch.randn(2, 2, 9, 4))


@archive
def sampled_nothing():
    def forward(x, places):
        return F.grid_sample(x, places, align_corners=False), F.grid_sample(x.double(), places.double(), "bicubic", "border", True)

    return traced(forward, torch.randn(0, 3, 4, 5), torch.randn(0, 2, 3, 2))


@archive
def warped_by_theta():
    class Warp(torch.nn.Module):
        def forward(self, x, theta):
            places = F.affine_grid(theta, x.size(), align_corners=False)
            return F.grid_sample(x * 2, places, padding_mode="border", align_corners=False).relu()

    return scripted(Warp(), torch.randn(1, 3, 16, 20), torch.randn(1, 2, 3))


@archive
def antialiased():
    def forward(*images):
        results = []
        for x in images:
            for mode in ("bilinear", "bicubic"):
                for size in ((5, 17), (1, 9), (16, 3), (40, 50), (16, 20)):
                    results.append(F.interpolate(x, size=size, mode=mode, align_corners=False, antialias=True))
                results.append(F.interpolate(x, scale_factor=(0.6, 0.3), mode=mode, antialias=True))
                results.append(F.interpolate(x, size=(7, 30), mode=mode, align_corners=True, antialias=True) + 1)
        return tuple(results)

    x = torch.randn(2, 3, 16, 20)
    return traced(forward, x, x.contiguous(memory_format=torch.channels_last), x[:, :, ::2, :])


@archive
def resized_tokens():
    """A decoder on tokens: images with their channels innermost, each resized to the largest, then joined."""

    class Decoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fuse = torch.nn.Conv2d(32, 24, 1)
            self.classify = torch.nn.Conv2d(24, 3, 1)

        def forward(self, a, b):
            images = [t.transpose(1, 2).reshape(1, 16, n, n) for t, n in ((a, 8), (b, 4))]
            images = [F.interpolate(x, size=(8, 8), mode="bilinear", align_corners=False) for x in images]
            x = self.fuse(torch.cat(images, 1)).relu()
            tokens = F.interpolate(images[1], scale_factor=0.5, mode="bilinear").flatten(2).transpose(1, 2)
            return F.interpolate(self.classify(x), scale_factor=4.0, mode="bilinear", align_corners=True), tokens

    return traced(Decoder().eval(), torch.randn(1, 64, 16), torch.randn(1, 16, 16))


@archive
def pyramid():
    """What comes from above is resized and added to the lateral image, with and without a range."""

    class Pyramid(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lateral = torch.nn.ModuleList(torch.nn.Conv2d(8, 16, 1) for _ in range(3))
            self.smooth = torch.nn.Conv2d(16, 16, 3, padding=1)

        def forward(self, a, b, c):
            x = self.lateral[0](a)
            y = F.interpolate(x, scale_factor=2.0, mode="nearest") + self.lateral[1](b)
            z = F.interpolate(y, size=c.shape[-2:], mode="bilinear", align_corners=False) + self.lateral[2](c)
            plain = (F.interpolate(a, size=(12, 12), mode="bicubic") + c).relu()
            return self.smooth(z), y.relu(), plain

    return traced(Pyramid().eval(), *(torch.randn(1, 8, n, n) for n in (3, 6, 12)))
