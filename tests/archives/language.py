"""Transformers, embeddings, attention with masks and caches."""

import math
from typing import Optional, Tuple

import torch
from torch import nn
from torch.nn import functional as F

from models import EncoderBlock
from registry import archive, scripted, traced


@archive
def encoder_block():
    return traced(EncoderBlock(), torch.randn(2, 12, 64))


@archive
def encoder_block_wide():
    return traced(EncoderBlock(512, 8, 2048), torch.randn(4, 128, 512))


@archive
def encoder_block_scripted():
    return scripted(EncoderBlock(), torch.randn(1, 5, 64))


@archive
def transformer_encoder():
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    return traced(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(2, 7, 32))


@archive
def transformer_encoder_scripted():
    layer = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", norm_first=True, batch_first=True)
    return scripted(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(2, 7, 32))


@archive
def transformer_decoder():
    model = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 2, 32, batch_first=True), 1)
    return traced(model, torch.randn(2, 5, 16), torch.randn(2, 7, 16))


@archive
def multi_head_attention():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

        def forward(self, x, padding):
            out, weights = self.attention(x, x, x, key_padding_mask=padding)
            return out, weights

    padding = torch.tensor([[False, False, False, True], [False, False, False, False]])
    return scripted(Attends(), torch.randn(2, 4, 16), padding)


@archive
def scaled_dot_product_attention():
    class Attends(nn.Module):
        def forward(self, q, k, v, mask: Optional[torch.Tensor] = None):
            causal = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return causal, F.scaled_dot_product_attention(q, k, v, mask, scale=0.3)

    return scripted(Attends(), *[torch.randn(2, 3, 6, 8) for _ in range(3)], torch.randn(6, 6))


@archive
def embeddings_with_positions():
    class Embeds(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(50, 16, padding_idx=0), nn.Embedding(32, 16)
            self.norm = nn.LayerNorm(16)

        def forward(self, ids):
            places = torch.arange(ids.size(1), device=ids.device).unsqueeze(0).expand_as(ids)
            return self.norm(self.words(ids) + self.places(places))

    return traced(Embeds(), torch.randint(0, 50, (2, 9)))


@archive
def bert_like():
    class Layer(nn.Module):
        def __init__(self, d, h):
            super().__init__()
            self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
            self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
            self.norm1, self.norm2, self.h = nn.LayerNorm(d), nn.LayerNorm(d), h

        def split(self, x):
            return x.view(x.shape[0], x.shape[1], self.h, -1).permute(0, 2, 1, 3)

        def forward(self, x, mask):
            q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
            scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask
            mixed = (scores.softmax(-1) @ v).permute(0, 2, 1, 3).contiguous().view(x.shape)
            x = self.norm1(x + F.dropout(self.o(mixed), 0.1, self.training))
            return self.norm2(x + self.down(F.gelu(self.up(x))))

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(100, 32)
            self.layers = nn.ModuleList([Layer(32, 4) for _ in range(2)])
            self.pool, self.head = nn.Linear(32, 32), nn.Linear(32, 3)

        def forward(self, ids, attention):
            mask = (1.0 - attention[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
            x = self.words(ids)
            for layer in self.layers:
                x = layer(x, mask)
            return self.head(torch.tanh(self.pool(x[:, 0])))

    attention = torch.ones(2, 8, dtype=torch.int64)
    attention[1, 5:] = 0
    return traced(Bert().eval(), torch.randint(0, 100, (2, 8)), attention)


@archive
def llama_like():
    class RmsNorm(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.weight = nn.Parameter(torch.rand(d))

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight

    class Block(nn.Module):
        def __init__(self, d, h):
            super().__init__()
            self.h = h
            self.qkv, self.o = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
            self.gate, self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d)
            self.norm1, self.norm2 = RmsNorm(d), RmsNorm(d)

        def rotate(self, x):
            t, half = x.size(-2), x.size(-1) // 2
            angle = torch.arange(t).unsqueeze(1) * torch.pow(10000.0, -torch.arange(half).float() / half)
            cos, sin = torch.cos(angle), torch.sin(angle)
            a, b = x[..., :half], x[..., half:]
            return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)

        def forward(self, x):
            b, t, d = x.shape
            q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.h, -1).permute(2, 0, 3, 1, 4).unbind(0)
            mask = torch.full([t, t], float("-inf")).triu(1)
            weights = (self.rotate(q) @ self.rotate(k).transpose(-1, -2) * (d // self.h) ** -0.5 + mask).softmax(-1)
            x = x + self.o((weights @ v).transpose(1, 2).reshape(b, t, d))
            y = self.norm2(x)
            return x + self.down(F.silu(self.gate(y)) * self.up(y))

    return scripted(nn.Sequential(Block(16, 2), Block(16, 2)), torch.randn(1, 6, 16))


@archive
def key_value_cache():
    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(8, 24)

        def forward(self, x, cache: Optional[Tuple[torch.Tensor, torch.Tensor]] = None):
            q, k, v = self.qkv(x).chunk(3, -1)
            if cache is not None:
                k, v = torch.cat([cache[0], k], 1), torch.cat([cache[1], v], 1)
            return torch.softmax(q @ k.transpose(1, 2), -1) @ v, (k, v)

    return scripted(Step(), torch.randn(1, 1, 8), (torch.randn(1, 3, 8), torch.randn(1, 3, 8)))


@archive
def text_convolution():
    class TextCnn(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(40, 8)
            self.convolutions = nn.ModuleList([nn.Conv1d(8, 4, k) for k in (2, 3)])
            self.head = nn.Linear(8, 2)

        def forward(self, ids):
            x = self.embed(ids).transpose(1, 2)
            pooled = [F.relu(convolution(x)).max(2)[0] for convolution in self.convolutions]
            return F.log_softmax(self.head(torch.cat(pooled, 1)), 1)

    return traced(TextCnn(), torch.randint(0, 40, (3, 11)))


@archive
def relative_position_bias():
    class Bias(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(8, 2)

        def forward(self, scores):
            n = scores.size(-1)
            distance = (torch.arange(n)[None, :] - torch.arange(n)[:, None]).clamp(-4, 3) + 4
            return (scores + self.table(distance).permute(2, 0, 1)).softmax(-1)

    return scripted(Bias(), torch.randn(1, 2, 6, 6))


@archive
def mixture_of_experts():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(6, 3)
            self.experts = nn.ModuleList([nn.Linear(6, 6) for _ in range(3)])

        def forward(self, x):
            weights, chosen = self.gate(x).softmax(-1).topk(2)
            out = torch.zeros_like(x)
            for index, expert in enumerate(self.experts):
                rows, slots = torch.where(chosen == index)
                if rows.numel() > 0:
                    out.index_add_(0, rows, expert(x[rows]) * weights[rows, slots].unsqueeze(1))
            return out

    return scripted(Experts(), torch.randn(9, 6))
