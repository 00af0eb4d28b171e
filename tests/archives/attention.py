"""Attention in the spellings of torch.nn, timm and transformers; head sizes that the CUDA kernel takes, unless the name
says otherwise. tests/cuda_plans/attention_test.cpp has the number of kernels that each becomes."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from models import Wrap
from registry import archive, traced


def half_heads(dtype, *shape):
    """Small scores and no cancellation: eager mode rounds scores and weights, the kernel neither."""
    return [(torch.randn(*shape) / 4).to(dtype), (torch.randn(*shape) / 4).to(dtype), (torch.rand(*shape) + 1).to(dtype)]


def heads(*shape):
    """q, k and v as one tensor each: batch, heads, rows, head size."""
    return [torch.randn(*shape) for _ in range(3)]


@archive
def bert_mask():
    def forward(x, mask):
        q, k, v = (x[:, :, i].transpose(1, 2) for i in range(3))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.size(-1)) + mask
        return F.dropout(scores.softmax(-1), 0.1, False).matmul(v).permute(0, 2, 1, 3).contiguous().flatten(2)

    mask = torch.zeros(2, 1, 1, 13)
    mask[1, ..., 9:] = torch.finfo(torch.float32).min
    return traced(Wrap(forward), torch.randn(2, 13, 3, 4, 32), mask)


@archive
def timm_scaled_queries():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.proj = nn.Linear(64, 192), nn.Linear(64, 64)

        def forward(self, x):
            b, n, c = x.shape
            q, k, v = self.qkv(x).reshape(b, n, 3, 2, 32).permute(2, 0, 3, 1, 4).unbind(0)
            weights = (q * 32**-0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
            return self.proj((weights @ v).transpose(1, 2).reshape(b, n, c))

    return traced(Attends(), torch.randn(2, 7, 64))


@archive
def masked_fill_with_empty_rows():
    def forward(q, k, v, mask):
        return (q @ k.transpose(-1, -2) * 0.2).masked_fill(mask, float("-inf")).softmax(-1) @ v

    mask = torch.rand(2, 1, 5, 9) < 0.5
    mask[0, 0, 1], mask[1, 0, 2] = True, False
    q, k, v = heads(2, 3, 9, 40)
    return traced(Wrap(forward), q[:, :, :5], k, v, mask)


@archive
def finite_fill_with_empty_rows():
    def forward(q, k, v, mask):
        return (q @ k.transpose(-1, -2) * 0.2).masked_fill(mask == 0, -1e9).softmax(-1) @ v

    mask = torch.randint(0, 2, (2, 1, 5, 9))
    mask[0, 0, 1] = 0
    q, k, v = heads(2, 3, 9, 40)
    return traced(Wrap(forward), q[:, :, :5], k, v, mask)


@archive
def gpt2_where():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("causal", torch.tril(torch.ones(32, 32, dtype=torch.bool))[None, None])

        def forward(self, q, k, v):
            scores = torch.matmul(q, k.transpose(-1, -2))
            scores = scores / torch.full([], v.size(-1) ** 0.5, dtype=scores.dtype)
            seen = self.causal[:, :, k.size(-2) - q.size(-2) : k.size(-2), : k.size(-2)]
            least = torch.full([], torch.finfo(scores.dtype).min, dtype=scores.dtype)
            return torch.matmul(F.softmax(torch.where(seen, scores, least), dim=-1).type(v.dtype), v)

    return traced(Attends(), *heads(1, 2, 11, 64))


@archive
def bloom_baddbmm():
    def forward(q, k, v, alibi):
        scores = alibi.baddbmm(batch1=q, batch2=k.transpose(1, 2), beta=1.0, alpha=0.125).view(2, 3, 9, 9)
        return torch.bmm(F.softmax(scores, dim=-1, dtype=torch.float32).view(6, 9, 9), v)

    return traced(Wrap(forward), *heads(6, 9, 64), torch.randn(6, 1, 9))


@archive
def swin_window_masks():
    def forward(q, k, v, bias, mask):
        scores = (q * 0.1) @ k.transpose(-2, -1) + bias.unsqueeze(0)
        scores = scores.view(-1, 4, 2, 6, 6) + mask.unsqueeze(1).unsqueeze(0)
        return scores.view(-1, 2, 6, 6).softmax(-1) @ v

    mask = torch.zeros(4, 6, 6).masked_fill(torch.rand(4, 6, 6) < 0.3, -16.0)
    return traced(Wrap(forward), *heads(8, 2, 6, 32), torch.randn(2, 6, 6), mask)


@archive
def t5_bias_in_place():
    def forward(q, k, v, bias):
        scores = torch.matmul(q, k.transpose(3, 2))
        scores += bias
        return torch.matmul(F.softmax(scores.float(), dim=-1).type_as(scores), v)

    return traced(Wrap(forward), *heads(2, 2, 7, 32), torch.randn(1, 2, 7, 7))


@archive
def cross_attention():
    def forward(q, k, v):
        return F.scaled_dot_product_attention(q, k, v)

    q, k, v = heads(2, 2, 17, 48)
    return traced(Wrap(forward), q[:, :, :3], k, v)


@archive
def scaled_dot_product_forms():
    def forward(q, k, v, keeps, added):
        causal = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3)
        chosen = F.scaled_dot_product_attention(q, k, v, keeps)
        return causal, chosen, F.scaled_dot_product_attention(q, k, v, added)

    keeps = torch.rand(5, 5) < 0.7
    keeps[:, 0], keeps[2] = True, False
    return traced(Wrap(forward), *heads(2, 2, 5, 128), keeps, torch.randn(2, 1, 5, 5))


@archive
def grouped_queries():
    def forward(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    return traced(Wrap(forward), torch.randn(2, 6, 5, 32), torch.randn(2, 2, 5, 32), torch.randn(2, 2, 5, 32))


@archive
def few_queries():
    """Steps of a decoder: a query or a few against many keys, whose heads are shared or masked."""

    def forward(q, k, v, wide, mask):
        one = q[:, :, :1]
        shared = F.scaled_dot_product_attention(one, k, v, enable_gqa=True)
        few = F.scaled_dot_product_attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1), mask)
        chosen = F.scaled_dot_product_attention(one, k, v, mask[:, :, :1] > 0, enable_gqa=True)
        scores = q[:, :2, :3] @ k.transpose(-1, -2) / 4
        return shared, few, chosen, torch.softmax(scores, -1) @ v, F.scaled_dot_product_attention(wide[:, :, :5], wide, wide, is_causal=True)

    return traced(Wrap(forward), torch.randn(2, 6, 5, 32), *[torch.randn(2, 2, 33, 32) for _ in range(2)], torch.randn(1, 2, 20, 64), torch.randn(2, 1, 5, 33))


@archive
def written_out_float16():
    def forward(q, k, v):
        return torch.softmax(q @ k.transpose(-1, -2) * 0.125, -1) @ v

    return traced(Wrap(forward), *half_heads(torch.float16, 2, 2, 9, 64))


@archive
def written_out_bfloat16():
    def forward(q, k, v):
        return torch.softmax((q @ k.transpose(-1, -2) * 0.125).float(), -1).bfloat16() @ v

    return traced(Wrap(forward), *half_heads(torch.bfloat16, 1, 2, 9, 64))


@archive
def none_since_weights_leave():
    def forward(q, k, v):
        weights = torch.softmax(q @ k.transpose(-1, -2), -1)
        return weights @ v, weights

    return traced(Wrap(forward), *heads(1, 2, 5, 32))


@archive
def none_of_odd_head_sizes():
    def forward(q, k, v):
        small = torch.softmax(q[..., :16] @ k[..., :16].transpose(-1, -2), -1) @ v[..., :16]
        return small, torch.softmax(q @ k.transpose(-1, -2), -1) @ v

    return traced(Wrap(forward), *heads(1, 2, 5, 36))


@archive
def none_in_float64():
    def forward(q, k, v):
        return torch.softmax(q @ k.transpose(-1, -2), -1) @ v, F.scaled_dot_product_attention(q, k, v)

    return traced(Wrap(forward), *[x.double() for x in heads(1, 2, 5, 32)])


@archive
def none_of_empty_batches():
    def forward(q, k, v):
        return torch.softmax(q @ k.transpose(-1, -2), -1) @ v, F.scaled_dot_product_attention(q, k, v)

    return traced(Wrap(forward), *heads(0, 2, 5, 32))


@archive
def values_of_other_widths():
    """Narrower than keys, as in DeepSeek's latent attention, and wider, with masks and written out."""

    def forward(q, k, narrow, wide, mask):
        y = F.scaled_dot_product_attention(q, k, narrow, attn_mask=mask)
        z = F.scaled_dot_product_attention(q, k, wide, is_causal=True)
        return y * 2, z, torch.softmax(q @ k.transpose(-1, -2) / 6, -1) @ narrow, F.scaled_dot_product_attention(q[:, :, :2], k, wide)

    mask = torch.rand(2, 1, 9, 9) > 0.3
    return traced(Wrap(forward), *heads(2, 4, 9, 32)[:2], torch.randn(2, 4, 9, 24), torch.randn(2, 4, 9, 48), mask)


@archive
def heads_inside_channels():
    """In blocks of an image, as NesT has it: the result's copy takes the heads behind the channels."""

    def forward(qkv):
        q, k, v = qkv.unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        return y.permute(0, 2, 3, 4, 1).reshape(2, 3, 7, 64)

    return traced(Wrap(forward), torch.randn(2, 3, 7, 3, 2, 32).permute(3, 0, 4, 1, 2, 5))


@archive
def encoder_layers():
    class Encodes(nn.Module):
        def __init__(self):
            super().__init__()
            layers = {"batch_first": True, "dropout": 0.0}
            self.first = nn.TransformerEncoderLayer(64, 2, 96, activation="gelu", norm_first=True, **layers)
            self.second = nn.TransformerEncoderLayer(64, 2, 96, layer_norm_eps=1e-3, **layers)

        def forward(self, x, mask):
            return self.second(self.first(x), src_mask=mask)

    return traced(Encodes(), torch.randn(2, 7, 64), torch.triu(torch.full((7, 7), -math.inf), 1))


@archive
def encoder_layers_of_halves():
    class Encodes(nn.Module):
        def __init__(self):
            super().__init__()
            layers = {"batch_first": True, "dropout": 0.0}
            self.first = nn.TransformerEncoderLayer(48, 4, 96, activation="gelu", norm_first=True, **layers).bfloat16()
            self.second = nn.TransformerEncoderLayer(64, 2, 96, **layers).half()

        def forward(self, x, y, mask, padding):
            return self.first(x), self.second(y), self.second(y, src_mask=mask), self.second(y, src_key_padding_mask=padding)

    mask = torch.triu(torch.full((9, 9), -math.inf), 1).half()
    padding = torch.zeros(3, 9, dtype=torch.bool)
    padding[1, 4:] = True
    return traced(Encodes(), torch.randn(2, 7, 48).bfloat16(), torch.randn(3, 9, 64).half(), mask, padding)


@archive
def encoder_layer_with_padding():
    def forward(x, padding, *weights):
        layer = torch._transformer_encoder_layer_fwd
        return layer(x, 64, 2, *weights[:4], False, False, 1e-5, *weights[4:], padding, 1)

    model = nn.TransformerEncoderLayer(64, 2, 48, batch_first=True).eval()
    attention = model.self_attn
    weights = [attention.in_proj_weight, attention.in_proj_bias, attention.out_proj.weight, attention.out_proj.bias]
    for part in (model.norm1, model.norm2, model.linear1, model.linear2):
        weights += [part.weight, part.bias]
    padding = torch.zeros(3, 5, dtype=torch.bool)
    padding[1, 3:] = True
    padding[2] = True
    return traced(Wrap(forward), torch.randn(3, 5, 64), padding, *[w.detach() for w in weights])


class AttendsWithWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(64, 2, batch_first=True)

    def forward(self, x, mask, padding):
        averaged = self.attention(x, x, x)
        masked = self.attention(x, x, x, attn_mask=mask)
        padded = self.attention(x, x, x, key_padding_mask=padding, average_attn_weights=False)
        return averaged, masked[0] + 1, masked[1] * 2, padded


@archive
def multi_head_attention_with_weights():
    padding = torch.zeros(3, 9, dtype=torch.bool)
    padding[1, 4:] = True
    return traced(AttendsWithWeights(), torch.randn(3, 9, 64), torch.rand(9, 9) > 0.7, padding)


@archive
def multi_head_attention_with_unread_weights():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.norm = nn.MultiheadAttention(64, 2, batch_first=True), nn.LayerNorm(64)

        def forward(self, x):
            y, _ = self.attention(x, x, x)
            return self.norm(x + y)

    return traced(Attends(), torch.randn(2, 9, 64))


@archive
def multi_head_attention_alone():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(64, 2, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x, need_weights=False)[0]

    return traced(Attends(), torch.randn(1, 9, 64))
