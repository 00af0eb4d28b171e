"""einsum of two operands: a product of the device's library, or a pointwise one (tests/cuda_plans/moves_test.cpp)."""

import torch

from registry import archive, traced


@archive
def products():
    def forward(x, y, q, k, w):
        a = torch.einsum("ij,jk->ik", x, y), torch.einsum("ij,jk", x, y), torch.einsum("ij,jk->ki", x, y)
        b = torch.einsum("bhid,bhjd->bhij", q, k), torch.einsum("bihd, bjhd -> bhij", q.transpose(1, 2), k.transpose(1, 2))
        c = torch.einsum("bhid,hdo->bio", q, w), torch.einsum("bhid,hdo->boi", q, w), torch.einsum("bhid,hdo->bhio", q, w)
        d = torch.einsum("ij,ij->i", x, x + 1), torch.einsum("ij,ij->", x, x), torch.einsum("bhij,bhjd->bihd", q @ k.transpose(2, 3), k)
        return a + b + c + d

    q = torch.randn(2, 3, 6, 4), torch.randn(2, 3, 5, 4)
    return traced(forward, torch.randn(3, 5), torch.randn(5, 4), *q, torch.randn(3, 4, 7))


@archive
def products_of_doubles_through_strides():
    def forward(x, y):
        a = torch.einsum("abc,cbd->ad", x[:, ::2], y[:, ::2]), torch.einsum("abc,dbc->bda", x, x)
        return a + (torch.einsum("abc,cbd->abd", x, y).relu(), torch.einsum("Abc,cbd->dAb", x, y))

    return traced(forward, torch.randn(3, 4, 5).double(), torch.randn(6, 4, 5).double().permute(2, 1, 0))


@archive
def products_without_sums():
    def forward(x, y, z):
        a = torch.einsum("i,j->ij", y, z), torch.einsum("ij,j->ji", x, z).exp()
        return a + (torch.einsum("ij,i->ij", x * 2, y) + 1, torch.einsum("i,i->i", z.to(torch.int64), z.to(torch.int64)))

    return traced(forward, torch.randn(4, 3), torch.randn(4), torch.randn(3) * 5)
