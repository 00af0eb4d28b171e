"""Element types and odd shapes: halves, integers, bool, promotion, 0-dim, 0-size, channels last, complex."""

import torch
from torch import nn
from torch.nn import functional as F

from models import ChainTranscendental, Mlp, Wrap, with_random_statistics
from registry import archive, scripted, traced


@archive
def float64_chain():
    return traced(ChainTranscendental(), torch.randn(33, dtype=torch.float64))


@archive
def float16_chain():
    return traced(ChainTranscendental(), torch.randn(33).half())


@archive
def bfloat16_chain():
    return traced(ChainTranscendental(), torch.randn(33).bfloat16())


@archive
def bfloat16_mlp():
    return traced(Mlp(16, 32, 8).bfloat16(), torch.randn(4, 16).bfloat16())


@archive
def float16_convolution():
    model = with_random_statistics(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())).half()
    return traced(model, torch.randn(1, 3, 8, 8).half())


class Half(nn.Module):
    """What multiplies, in one of the half types: images, sequences, attention with scores to add, a recurrent layer, products of the call."""

    def __init__(self):
        super().__init__()
        self.image = with_random_statistics(nn.Sequential(nn.Conv2d(3, 24, 3, 2), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 16, 1)))
        self.filters, self.up = nn.Conv1d(16, 16, 3, padding=1, groups=16), nn.ConvTranspose1d(16, 8, 2, 2)
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.gru = nn.GRU(16, 10)

    def forward(self, x, tokens, bias):
        image = self.image(x).flatten(2)
        q, k, v = self.qkv(tokens).view(2, -1, 3, 2, 8).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, bias).transpose(1, 2).flatten(2)
        scores = torch.einsum("bij,bkj->bik", tokens, tokens)
        return self.up(torch.relu(self.filters(image)) + image), tokens + self.out(attended), self.gru(tokens)[0], scores @ tokens, torch.baddbmm(scores, tokens, tokens.mT)


def of_half(dtype):
    return traced(Half().eval().to(dtype), *[x.to(dtype) for x in (torch.randn(2, 3, 9, 11), torch.randn(2, 20, 16), torch.randn(2, 1, 20, 20))])


@archive
def bfloat16_products():
    return of_half(torch.bfloat16)


@archive
def float16_products():
    return of_half(torch.float16)


@archive
def mixed_float_types():
    def forward(x, y):
        return x + y, (x.float() * y).to(torch.float16), x * 2.5, y.double() / 3, torch.cat([x.float(), y])

    return traced(Wrap(forward), torch.randn(5).half(), torch.randn(5))


@archive
def integer_arithmetic():
    def forward(a, b):
        return a + b * 2, a // 3, a % 3, a / 2, -a, a << 1, a >> 1, a & b, a ^ 5, ~a, torch.abs(a), a**2, a.clamp(0, 3)

    return traced(Wrap(forward), torch.arange(-6, 6), torch.randint(-9, 9, (12,)))


@archive
def integer_overflow():
    def forward(a, b, c):
        return a * 2 + 100, b + 100, c * c, a.to(torch.int32) * 1000, -b, c - 1

    return traced(
        Wrap(forward),
        torch.tensor([100, -128, 127], dtype=torch.int8),
        torch.tensor([200, 255, 0], dtype=torch.uint8),
        torch.tensor([2**31 - 1, -(2**31)], dtype=torch.int32),
    )


@archive
def integer_promotion():
    def forward(i8, u8, i32, i64, b, f):
        return i8 + u8, i32 * i64, b + b, b * 2.5, i32 / i64, i8 + 1.5, f + i64, b & (i8 > 0), i64 + b, f * True, u8 - i8

    kinds = (torch.int8, torch.uint8, torch.int32, torch.int64)
    integers = [torch.tensor([1, 2, 3], dtype=kind) for kind in kinds]
    return traced(Wrap(forward), *integers, torch.tensor([True, False, True]), torch.randn(3))


@archive
def numbers_that_a_trace_kept_as_tensors():
    """Of float64, which would widen integers, and other tensors without dims, as the model's numbers did not."""

    def forward(x, t):
        frequencies = torch.exp(-9.25 * torch.arange(8) / 8)
        angles = t[:, None].float() * frequencies
        total = x.sum()
        return torch.cat([angles.sin(), angles.cos()], -1), 1 + total, total * 0.5 - 2.5, total / 3, t * 0.5, t + 1

    return traced(Wrap(forward), torch.randn(2, 3), torch.tensor([17, 3]))


@archive
def wrapped_numbers():
    # A 0-dim tensor or a Python number does not widen the type of a tensor with dimensions.
    def forward(x, zero_dim, integers):
        return x * zero_dim, zero_dim * 2, integers * zero_dim, x + torch.tensor(3.5, dtype=torch.float64), integers * 2

    inputs = torch.randn(3).half(), torch.tensor(2.5, dtype=torch.float64), torch.arange(3, dtype=torch.int32)
    return traced(Wrap(forward), *inputs)


@archive
def bool_logic():
    def forward(a, b):
        return a & b, a | b, a ^ b, ~a, a == b, a != b, torch.logical_not(a), a.any(), b.all(), a.sum(), a.int() - b.int()

    return traced(Wrap(forward), torch.rand(9) > 0.5, torch.rand(9) > 0.5)


@archive
def casts():
    def forward(x):
        kinds = [torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool, torch.float16, torch.bfloat16, torch.float64]
        return tuple((x * 1.5).to(kind) for kind in kinds) + (x.long().float(), x.type_as(x.half()), x.bool().float())

    return traced(Wrap(forward), torch.tensor([0.0, -0.0, 1.5, -1.5, 2.5, 100.25, -0.4]))


@archive
def zero_dimensional():
    def forward(x, y):
        return x * y + 1, torch.relu(x).exp(), x.view(1).expand(3) * y, x == y

    return traced(Wrap(forward), torch.tensor(2.0), torch.tensor(-3.0))


@archive
def zero_size():
    def forward(x, y):
        return x.relu() * 2 + y, x.sum(0), x.t() @ x, torch.cat([x, x]), F.linear(x, torch.ones(2, 4))

    return traced(Wrap(forward), torch.randn(0, 4), torch.randn(1, 4))


@archive
def one_element():
    return traced(Wrap(lambda x: (x.squeeze() * 2, x.sigmoid() + x.item() * 0)), torch.randn(1, 1, 1))


@archive
def channels_last_pointwise():
    def forward(x, y):
        return x.relu() * 2 + y, (x + 1).contiguous(), x.permute(0, 2, 3, 1).sigmoid()

    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    return traced(Wrap(forward), x, torch.randn(3, 1, 1))


@archive
def complex_numbers():
    def forward(x):
        z = torch.complex(x, x * 2)
        return torch.view_as_real(z * z), z.abs(), torch.fft.irfft(torch.fft.rfft(x) * 2), z

    return traced(Wrap(forward), torch.randn(8))


@archive
def complex_arithmetic():
    """Sums, products and quotients of complex and of real numbers, broadcast and turned, and what becomes real of them."""

    def forward(x, y, r):
        z = torch.view_as_complex(x)
        w = torch.polar(y.abs(), y * 3)
        turned = (z.transpose(0, 1) * r.t()).contiguous()
        sums = z + w, z - w, z * 2.5 + 1, r - z, w + r
        products = z * w, w * r, z * w.conj(), z / r, (z * w)[1:, ::2] * 2
        reals = z.abs(), (w - z).angle(), (z * w).real, (z * w).imag + r, z.conj().resolve_conj().abs()
        moved = torch.cat([z, w * 2], 1), torch.where(r > 0, z, w), z.flip(1), z[:, [2, 0, 0]], torch.stack([z, -w])
        return sums, products, reals, moved, turned, torch.exp(z * 0.5j), z.mT @ w, torch.einsum("ij,kj->ik", w, z)

    return traced(Wrap(forward), torch.randn(4, 5, 2), torch.randn(4, 5), torch.randn(4, 5))


@archive
def complex_rotary_embedding():
    """Positions by products of complex numbers, as LLaMA's first code has them, between a projection and attention."""

    class Rotary(nn.Module):
        def __init__(self):
            super().__init__()
            self.qk = nn.Linear(32, 64, bias=False)
            angles = torch.outer(torch.arange(20).float(), 1 / 100 ** (torch.arange(0, 16, 2) / 16))
            self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles))

        def forward(self, x):
            q, k = self.qk(x).view(2, -1, 4, 16).split(2, 2)
            pairs = [torch.view_as_complex(t.float().reshape(2, -1, 2, 8, 2)) for t in (q, k)]
            turns = self.turns[: x.shape[1]].view(1, -1, 1, 8)
            q, k = [torch.view_as_real(p * turns).flatten(3).type_as(x) for p in pairs]
            return torch.softmax(q.transpose(1, 2) @ k.permute(0, 2, 3, 1), -1), torch.view_as_real(torch.fft.fft(pairs[0] * turns))

    return traced(Rotary(), torch.randn(2, 7, 32))


@archive
def spectra():
    """Fourier transforms between operators by element: masks of spectra, magnitudes and phases, and back."""

    def forward(x, window):
        z = torch.stft(x, 16, 4, window=window, return_complex=True)
        magnitude, phase = z.abs(), z.angle()
        mask = torch.sigmoid(magnitude - 1)
        back = torch.istft(torch.polar(magnitude * mask, phase), 16, 4, window=window)
        again = torch.istft(z * mask, 16, 4, window=window)
        power = torch.view_as_real(z).pow(2).sum(-1)
        half = torch.fft.rfft(x)
        correlation = torch.fft.irfft(half * half.conj())
        return back, again, (power + 1e-3).log(), magnitude.pow(2) - power, correlation, torch.fft.fft2(x[None]).real.tanh()

    return traced(Wrap(forward), torch.randn(2, 40), torch.hann_window(16))


@archive
def casts_to_the_type_of_another():
    def forward(x, steps):
        return steps.type_as(x).exp(), steps.to(x).sin() + x.mean(), x.type_as(steps) * 2, x.type_as(x) + 1

    return traced(Wrap(forward), torch.randn(2, 3, 8), torch.arange(5))


@archive
def lazily_conjugated():
    def forward(x):
        z = torch.fft.rfft(x)
        c = z.conj()
        return c * z, c, c.imag, c.imag + x.mean(), torch.view_as_real(c.resolve_conj()).relu(), (z @ c.mH).abs() * 2

    return traced(Wrap(forward), torch.randn(3, 8))


@archive
def autocast_traced():
    class Casts(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                y = self.linear(x)
            return y.float().relu() + x

    return traced(Casts(), torch.randn(4, 8))


@archive
def default_dtype_factories():
    class Factories(nn.Module):
        def forward(self, x):
            a = torch.zeros(3) + torch.full([3], 2.5) + torch.linspace(0, 1, 3)
            b = torch.ones_like(x, dtype=torch.int64) + torch.eye(3)[0].to(torch.int64)
            return a * x, b, torch.tensor([1, 2, 3]), torch.tensor(x.size(0) * 1.5), x.new_zeros([2])

    return scripted(Factories(), torch.randn(3))


@archive
def quantized_linear():
    class Quantizes(nn.Module):
        def forward(self, x):
            q = torch.quantize_per_tensor(x, 0.1, 10, torch.quint8)
            return torch.dequantize(q) * 2, q.int_repr()

    return traced(Quantizes(), torch.randn(2, 3))


@archive
def sparse_product():
    class Sparse(nn.Module):
        def forward(self, x):
            s = torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 0]]), torch.ones(2), [2, 2])
            return torch.sparse.mm(s, x).relu()

    return scripted(Sparse(), torch.randn(2, 3))


@archive
def spectral_convolution():
    """A Fourier neural operator's: low frequencies of a spectrum by weights, written into another."""

    class Convolves(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.randn(2, 4, 6, 3, 3, 2) * 0.2)

        def forward(self, x):
            spectrum, low = torch.fft.rfft2(x), torch.view_as_complex(self.weights)
            out = torch.zeros_like(spectrum[:, :1]).repeat(1, 6, 1, 1)
            out[:, :, :3, :3] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, :3, :3], low[0])
            out[:, :, -3:, :3] = torch.einsum("bixy, ioxy -> boxy", spectrum[:, :, -3:, :3], low[1])
            all_of_it = torch.einsum("bixy,bjxy->yxij", spectrum, spectrum)
            small = spectrum * 0.1
            some = torch.einsum("...x,bx->b...", small, small[0, 0])
            return torch.fft.irfft2(out, s=(9, 8)), all_of_it, some, torch.zeros_like(spectrum).abs() + 1

    return traced(Convolves(), torch.randn(2, 4, 9, 8))
