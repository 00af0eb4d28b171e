"""Audio: spectra, one-dimensional convolutions, streaming."""

import torch
from torch import nn
from torch.nn import functional as F

from models import with_random_statistics
from registry import archive, scripted, traced


@archive
def spectrogram():
    class Spectrogram(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("window", torch.hann_window(64))
            self.register_buffer("mel", torch.rand(33, 10))

        def forward(self, x):
            z = torch.stft(x, 64, 16, window=self.window, return_complex=True)
            power = z.real**2 + z.imag**2
            return torch.log10(torch.clamp(power.transpose(1, 2) @ self.mel, min=1e-10)) * 10

    return scripted(Spectrogram(), torch.randn(2, 400))


@archive
def spectrum_and_back():
    class Inverse(nn.Module):
        def forward(self, x):
            window = torch.hann_window(32)
            z = torch.stft(x, 32, 8, window=window, return_complex=True)
            return torch.istft(z * 0.5, 32, 8, window=window, length=x.size(-1))

    return scripted(Inverse(), torch.randn(1, 200))


@archive
def keyword_spotting():
    model = nn.Sequential(
        nn.Conv1d(1, 8, 16, stride=4), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(4),
        nn.Conv1d(8, 16, 3), nn.BatchNorm1d(16), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip
    return traced(with_random_statistics(model), torch.randn(1, 1, 800))


@archive
def dilated_stack():
    class WaveNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.filters = nn.ModuleList([nn.Conv1d(4, 8, 2, dilation=2**i) for i in range(4)])
            self.mixes = nn.ModuleList([nn.Conv1d(4, 4, 1) for _ in range(4)])

        def forward(self, x):
            skipped = torch.zeros_like(x)
            for i, (gated, mix) in enumerate(zip(self.filters, self.mixes)):
                y = gated(F.pad(x, [1 << i, 0]))
                a, b = y.chunk(2, 1)
                y = mix(torch.tanh(a) * torch.sigmoid(b))
                x = x + y
                skipped = skipped + y
            return F.relu(skipped)

    return scripted(WaveNet(), torch.randn(1, 4, 50))


@archive
def vocoder():
    model = nn.Sequential(
        nn.Conv1d(8, 16, 7, padding=3), nn.LeakyReLU(0.1), nn.ConvTranspose1d(16, 8, 8, stride=4, padding=2),
        nn.LeakyReLU(0.1), nn.Conv1d(8, 1, 7, padding=3), nn.Tanh(),
    )  # fmt: skip
    return traced(model, torch.randn(1, 8, 20))


@archive
def streaming_filter():
    class Filter(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv1d(1, 4, 9)
            self.register_buffer("tail", torch.zeros(1, 1, 8))

        def forward(self, x, rate: int):
            if rate != 8000 and rate != 16000:
                raise ValueError("unsupported sampling rate")
            if rate == 16000:
                x = x[..., ::2]
            x = torch.cat([self.tail, x], -1)
            self.tail = x[..., -8:]
            return self.convolution(x).relu().mean(-1)

    return scripted(Filter(), torch.randn(1, 1, 64), 16000)


@archive
def conformer_convolution():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.up = nn.LayerNorm(8), nn.Conv1d(8, 16, 1)
            self.depth, self.down = nn.Conv1d(8, 8, 5, padding=2, groups=8), nn.Conv1d(8, 8, 1)
            self.batch_norm = nn.BatchNorm1d(8)

        def forward(self, x):
            y = F.glu(self.up(self.norm(x).transpose(1, 2)), 1)
            return x + self.down(F.silu(self.batch_norm(self.depth(y)))).transpose(1, 2)

    return traced(with_random_statistics(Block()), torch.randn(2, 12, 8))


def lfilter_core_loop(waveform, a_flipped, padded):
    """torchaudio's operator; torchaudio itself isn't among the packages that write the archives."""
    order = a_flipped.size(1)
    for t in range(waveform.size(2)):
        sample = waveform[:, :, t].clone()
        for k in range(order):
            sample -= padded[:, :, t + k] * a_flipped[:, k]
        padded[:, :, t + order - 1] = sample
    return padded


TORCHAUDIO = torch.library.Library("torchaudio", "FRAGMENT")
TORCHAUDIO.define("_lfilter_core_loop(Tensor input, Tensor a_flipped, Tensor(a!) padded) -> Tensor(a!)")
TORCHAUDIO.impl("_lfilter_core_loop", lfilter_core_loop, "CPU")


def overdrive_core_loop(waveform, temp, last_in, last_out, output_waveform):
    for t in range(waveform.size(1)):
        last_out.copy_((temp[:, t] - last_in).double() + 0.995 * last_out.double())
        last_in.copy_(temp[:, t])
        output_waveform[:, t] = waveform[:, t].double() * 0.5 + last_out.double() * 0.75
    return last_in, last_out, output_waveform


TORCHAUDIO.define(
    "_overdrive_core_loop(Tensor waveform, Tensor temp, Tensor(a!) last_in, Tensor(b!) last_out, "
    "Tensor(c!) output_waveform) -> (Tensor(a!), Tensor(b!), Tensor(c!))"
)
TORCHAUDIO.impl("_overdrive_core_loop", overdrive_core_loop, "CPU")


@archive
def overdrive():
    class Overdrive(nn.Module):
        def forward(self, x):
            shaped = (x * 10).clamp(-1, 1)
            shaped = shaped - shaped.pow(3) / 3
            out = torch.zeros_like(x)
            last_in, last_out = torch.zeros(x.size(0), dtype=x.dtype), torch.zeros(x.size(0), dtype=x.dtype)
            torch.ops.torchaudio._overdrive_core_loop(x, shaped, last_in, last_out, out)
            return out.clamp(-1, 1), last_in + last_out

    return traced(Overdrive(), torch.randn(3, 50))


def lfilter(x, a, b):
    """As torchaudio 2.11 writes it into archives."""
    order = a.size(1)
    scale = a[:, 0:1]
    taps = (b / scale).flip(1).contiguous()
    x = F.conv1d(F.pad(x, [order - 1, 0]), taps.unsqueeze(1), groups=b.size(0))
    padded = torch.zeros([x.size(0), x.size(1), x.size(2) + order - 1], dtype=x.dtype, device=x.device)
    torch.ops.torchaudio._lfilter_core_loop(x, (a / scale).flip(1).contiguous(), padded)
    return padded[:, :, order - 1 :]


@archive
def biquads():
    class Biquads(nn.Module):
        def forward(self, x, a, b):
            one = lfilter(x.reshape(-1, 1, x.size(-1)), a[:1], b[:1]).reshape(x.size())
            wide = lfilter(x.double(), a.double(), b.double())
            return torch.clamp(lfilter(x * 0.5, a, b), -1.0, 1.0), one + 1, wide

    # Two stable filters of order 2, on samples of three.
    a = torch.tensor([[1.1, -1.6, 0.7], [0.9, 0.4, 0.2]])
    return scripted(Biquads(), torch.randn(3, 2, 300), a, torch.randn(2, 3))
