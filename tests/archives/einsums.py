"""einsum: products of the device's library, pointwise ones and sums (tests/cuda_plans/moves_test.cpp)."""

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


@archive
def products_over_dots():
    def forward(q, k, w, x):
        scores = torch.einsum("...qhd,...khd->...hqk", q, k)
        a = torch.einsum("...hqk,...khd->...qhd", scores.softmax(-1), k), torch.einsum("b...d,dc", x, w), torch.einsum("...d,dc->c...", x, w)
        return a + (scores, torch.einsum("...d,...d", x, x[0]), torch.einsum("i...,i...->...", x, x[:, :1]), torch.einsum("...d,d->...d", x, w[:, 0]))

    return traced(forward, torch.randn(2, 1, 9, 3, 8), torch.randn(2, 3, 12, 3, 8), torch.randn(8, 5), torch.randn(4, 6, 8))


@archive
def products_of_several():
    def forward(x, experts, gate, w, v):
        a = torch.einsum("beth,eho,bte->bto", x, experts, gate), torch.einsum("bn,anm,bm->ba", w, experts[:, :6, :6], w)
        b = torch.einsum("i,j,k->ijk", v, v * 2, v + 1), torch.einsum("ab,bc,cd,de->ae", w, w.T, w, w.T), torch.einsum("bi,ij,bj->b", w, w.T @ w, w)
        return a + b

    shapes = (2, 5, 7, 6), (5, 6, 24), (2, 7, 5), (4, 6)
    return traced(forward, *(torch.randn(s) for s in shapes), torch.randn(5))


@archive
def products_of_what_is_summed_first():
    def forward(x, y, one):
        a = torch.einsum("ii,ij->j", x, y), torch.einsum("ij,kj->j", x, y), torch.einsum("ij,jk->ik", one, y), torch.einsum("ij->", x)
        b = torch.einsum("ii", x), torch.einsum("iij->j", x[:, None] * y[:, :, None]), torch.einsum("abc->ca", x[None] + y[:, None]), torch.einsum("ij,ik->", x, y)
        return a + b + (torch.einsum("ij->ji", x) + 1, torch.einsum("ij,j->", x, one[:, 0]))

    return traced(forward, torch.randn(6, 6), torch.randn(6, 6), torch.randn(6, 1))


@archive
def sums_over_what_both_repeat():
    """Products by hand: (a * b).sum() where each has dims that the other lacks; and sums that are none."""

    def forward(q, k, c, b, x):
        scores = (q[:, :, None] * k[:, None]).sum(-1)
        chunks = (c[:, :, None] * b[:, None]).sum(dim=-1) * 0.5
        results = [scores, chunks, (q.unsqueeze(2) * k.unsqueeze(1)).sum((3,), keepdim=True).relu(), (chunks[..., None] * x[:, None]).sum(dim=2)]
        results += [(q[:, :, None].expand(-1, -1, 7, -1) * k[:, None]).sum([1, -1]), (q[..., None] * k[0].t()).sum(2), (c[:, :, None] * b[:, None]).sum((0, 4))]
        products = q[:, :, None] * k[:, None]
        results += [products.sum(-1), products.exp(), (q * q).sum(-1), (q[:, :, None] * k[:, None, :2]).sum(-1), (q[:, :, None] * k[:, None]).sum(-1).sum(1)]
        before = k[:, None] * q[:, :, None]
        k.mul_(2)
        results += [(q[0, 0, 0] * k[0, 0, 0]).sum(-1), (q[0, 0] * 2)[:1].sum(0), q[:1].sum((0,), keepdim=True)]
        return results + [before.sum(-1), k, (q[:, :, None] * 2.0).sum(2), (q[:, None, :, None] * k[:, None, None]).sum(4).sum(1)]

    sizes = (2, 5, 8), (2, 7, 8), (2, 9, 3, 4), (2, 6, 3, 4), (2, 6, 3, 10)
    return traced(forward, *(torch.randn(s) for s in sizes))
