"""Operators that are another's spelling: fusion/spellings.h, and products of vectors."""

import math

import torch
from torch import nn

from registry import archive, traced


@archive
def norms():
    def forward(x, v):
        norm = torch.linalg.norm
        of_vectors = norm(x), norm(x, dim=1), norm(x, ord=1, dim=0, keepdim=True), norm(v, ord=math.inf), norm(v, ord=-math.inf)
        of_matrices = norm(x, dim=(1, 2), keepdim=True), norm(x, ord="fro", dim=(0, 1)), torch.linalg.matrix_norm(x)
        of_types = norm(x.half(), dim=-1), norm(x.double(), dim=-2), norm(x, dim=-1, dtype=torch.float64)
        return of_vectors + of_matrices + of_types + (norm(v, 3), norm(x, ord=2, dim=(1, 2)), norm(x, ord="nuc", dim=(1, 2)))

    return traced(forward, torch.randn(4, 5, 6), torch.randn(9))


@archive
def reshapes():
    def forward(x, like):
        return x.transpose(1, 2).reshape_as(like) * 2, x.reshape_as(like), (x > 0)[:, ::2].reshape_as(x[:, :3])

    return traced(forward, torch.randn(4, 5, 6), torch.randn(20, 6))


@archive
def counts():
    def forward(x, indices):
        some = x > 0.5
        return (
            torch.count_nonzero(x), torch.count_nonzero(x, 1), torch.count_nonzero(x, (0, -1)), torch.count_nonzero(some),
            torch.count_nonzero(some, -1), torch.count_nonzero(indices, 0), torch.count_nonzero(x[:, :0], 2),
        )

    return traced(forward, torch.randn(4, 5, 6).relu(), torch.randint(-1, 2, (7, 3)))


@archive
def outer_products():
    def forward(a, b, places):
        return torch.outer(a, b).tanh(), torch.ger(b[::2], a), torch.outer(a, places), torch.outer(a.half(), b.half())

    return traced(forward, torch.randn(7), torch.randn(40), torch.arange(5))


@archive
def shifted_spectra():
    def forward(x):
        fft = torch.fft
        spectrum = fft.fft2(x)
        of_reals = fft.fftshift(x), fft.ifftshift(x), fft.fftshift(x, dim=-1), fft.ifftshift(x, dim=(0, -1))
        return of_reals + (fft.fftshift(spectrum).abs(), fft.ifftshift(spectrum, dim=1), fft.fftshift(fft.fftfreq(7)))

    return traced(forward, torch.randn(4, 5, 7))


@archive
def cross_products():
    def forward(a, b, rows):
        cross = torch.linalg.cross
        return (
            torch.cross(a, b, dim=1) * 2, cross(a, b, dim=1), torch.cross(rows, rows.flip(0), dim=-1), cross(rows, rows[:1]),
            cross(rows[3:4], rows), torch.cross(a, b), cross((a * 5).int(), (b * 5).int(), dim=1), cross(rows.double(), rows.double()),
        )

    return traced(forward, torch.randn(6, 3, 8), torch.randn(6, 3, 8), torch.randn(10, 3))


@archive
def bilinear_layers():
    class Pairs(nn.Module):
        def __init__(self):
            super().__init__()
            self.biased, self.plain, self.one = nn.Bilinear(8, 9, 7), nn.Bilinear(9, 8, 5, bias=False), nn.Bilinear(8, 8, 1)

        def forward(self, x, y):
            return self.biased(x, y).relu(), self.plain(y, x), self.one(x, x), self.biased(x[0, 0], y[0, 0]), self.one(x.double().float()[:, ::2], x[:, 1::2])

    return traced(Pairs(), torch.randn(3, 4, 8), torch.randn(3, 4, 9))


@archive
def products_of_vectors():
    def forward(a, b, v, w, m, u):
        steps = torch.mv(a, v), torch.matmul(a.t(), w), torch.dot(v, v), torch.matmul(v, b), torch.matmul(m, u)
        more = torch.matmul(w, a) + 1, torch.matmul(v[::2], b[::2]), a @ b @ b.t() @ v, torch.mv(a.double(), v.double())
        return steps + more + (torch.dot(u[:0], u[:0]), torch.mv(a[:, :0], v[:0]))

    vectors = torch.randn(30), torch.randn(9), torch.randn(3, 4, 5), torch.randn(5)
    return traced(forward, torch.randn(9, 30), torch.randn(30, 7), *vectors)
