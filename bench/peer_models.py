"""The models that bench/peers.py runs, each made on the spot from a fixed seed; what tests/archives has comes from there."""

import dataclasses
import pathlib
import sys
from typing import Callable, Optional

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "archives"))
import models  # noqa: E402

MILLION = 1 << 20


@dataclasses.dataclass
class Model:
    """One row of the table."""

    title: str
    make: Callable[[], nn.Module]
    inputs: Callable[[], tuple]
    # Where tracing the module isn't enough.
    script: Optional[Callable[[], torch.jit.ScriptModule]] = None
    # No Python source: what needs it reports so.
    archive_only: bool = False
    # Its own ONNX files, by peer, with what they are fed.
    onnx: dict = dataclasses.field(default_factory=dict)
    onnx_inputs: Optional[Callable[[tuple], dict]] = None
    # Tensors that glibc maps and unmaps in each call: measured with a tuned malloc too.
    large: bool = False


class LstmStep(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.cell = nn.LSTMCell(width, width)

    def forward(self, x, h, c):
        return self.cell(x, (h, c))


class LstmLayer(nn.Module):
    def __init__(self, inputs=64, hidden=128):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


class Dlrm(nn.Module):
    """Embedding bags, a bottom MLP, products of all pairs, a top MLP."""

    def __init__(self, tables=8, rows=20000, width=64):
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(rows, width, mode="sum") for _ in range(tables))
        self.bottom = models.Mlp(13, 512, 256, width)
        self.top = models.Mlp(width + tables * (tables + 1) // 2, 512, 256, 1)
        self.register_buffer("pairs", torch.tril_indices(tables + 1, tables + 1, -1))

    def forward(self, dense, ids):
        x = torch.relu(self.bottom(dense))
        rows = torch.stack([x] + [table(ids[i]) for i, table in enumerate(self.tables)], 1)
        products = torch.bmm(rows, rows.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
        return torch.sigmoid(self.top(torch.cat([x, products], 1)))


class Layer(nn.Module):
    """A transformer encoder layer; normalised before (ViT) or after (BERT)."""

    def __init__(self, width, heads, before):
        super().__init__()
        self.heads, self.before = heads, before
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def attention(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))

    def inner(self, x):
        return self.down(F.gelu(self.up(x)))

    def forward(self, x):
        if self.before:
            x = x + self.attention(self.norm1(x))
            return x + self.inner(self.norm2(x))
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.inner(x))


class BertSmall(nn.Module):
    """Four layers of width 512, as in BERT's small model."""

    def __init__(self, words=30522, width=512, longest=512):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(longest, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.Sequential(*(Layer(width, 8, before=False) for _ in range(4)))
        self.pool = nn.Linear(width, width)

    def forward(self, ids):
        x = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
        return torch.tanh(self.pool(self.layers(x)[:, 0]))


class VitTiny(nn.Module):
    """Twelve layers of width 192 over patches of 16 x 16."""

    def __init__(self, width=192):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.first = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, 197, width) * 0.02)
        self.layers = nn.Sequential(*(Layer(width, 3, before=True) for _ in range(12)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, image):
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.layers(x))[:, 0])


def torchvision_model(name):
    def make():
        import torchvision

        return models.with_random_statistics(getattr(torchvision.models, name)(weights=None))

    return make


def gated_rnn():
    return models.WrappedLoop(models.GatedLoop(models.GatedCell(models.DecisionGate())))


def silero_file(name):
    import importlib.util

    return pathlib.Path(importlib.util.find_spec("silero_vad").origin).parent / "data" / name


def silero_inputs(inputs):
    """The first call's: no samples before the chunk, a state of zeros."""
    chunk = torch.cat([torch.zeros(1, 64), inputs[0]], 1)
    return {"input": chunk, "state": torch.zeros(2, 1, 128), "sr": torch.tensor(inputs[1])}


def floats(*shape):
    return lambda: (torch.randn(*shape),)


MODELS = {
    "linear": Model("Linear(2, 2) + relu", models.TinyLinear, floats(1, 2)),
    "mlp-1": Model("MLP 64-64-64-10, batch 1", lambda: models.Mlp(64, 64, 64, 10), floats(1, 64)),
    "mlp-32": Model("MLP 64-64-64-10, batch 32", lambda: models.Mlp(64, 64, 64, 10), floats(32, 64)),
    "lstm-step": Model("LSTM step, width 64", LstmStep, lambda: tuple(torch.randn(1, 64) for _ in range(3))),
    "lstm-layer": Model("LSTM layer, 8 x 50 x 64 to 128", LstmLayer, floats(8, 50, 64)),
    "gated-rnn": Model(
        "gated RNN, 100 steps",
        gated_rnn,
        lambda: (torch.rand(100, 3, 4),),
        script=lambda: models.gated_rnn(traced_outside=True),
    ),
    "gelu-chain-1m": Model("12 operators with tanh and gelu, 1 M", models.ChainTranscendental, floats(MILLION)),
    "gelu-chain-16m": Model("12 operators with tanh and gelu, 16 M", models.ChainTranscendental, floats(16 * MILLION), large=True),
    "memory-chain-1m": Model("12 operators bound by memory, 1 M", models.ChainMemory, floats(MILLION)),
    "memory-chain-16m": Model("12 operators bound by memory, 16 M", models.ChainMemory, floats(16 * MILLION), large=True),
    "norm-softmax-gelu": Model("layer norm, softmax, gelu, 4096 x 1024", models.NormSoftmaxGelu, floats(4096, 1024)),
    "mlp-1000-1": Model("MLP 1000-1000-100, batch 1", lambda: models.Mlp(1000, 1000, 100), floats(1, 1000)),
    "mlp-1000-128": Model("MLP 1000-1000-100, batch 128", lambda: models.Mlp(1000, 1000, 100), floats(128, 1000)),
    "encoder-block": Model("transformer block, 4 x 128 x 512", lambda: models.EncoderBlock(512, 8, 2048), floats(4, 128, 512)),
    "dlrm": Model("DLRM, batch 128", Dlrm, lambda: (torch.randn(128, 13), torch.randint(0, 20000, (8, 128, 10)))),
    "resnet18-1": Model("ResNet-18, batch 1", torchvision_model("resnet18"), floats(1, 3, 224, 224)),
    "resnet18-8": Model("ResNet-18, batch 8", torchvision_model("resnet18"), floats(8, 3, 224, 224)),
    "mobilenet-v2": Model("MobileNetV2, batch 1", torchvision_model("mobilenet_v2"), floats(1, 3, 224, 224)),
    "bert-small": Model("BERT-small, 1 x 128", BertSmall, lambda: (torch.randint(0, 30522, (1, 128)),)),
    "vit-tiny": Model("ViT-tiny, batch 1", VitTiny, floats(1, 3, 224, 224)),
    "silero-vad": Model(
        "silero_vad, 512 samples",
        lambda: torch.jit.load(silero_file("silero_vad.jit")),
        lambda: (torch.randn(1, 512) * 0.1, 16000),
        archive_only=True,
        onnx={"onnxruntime": "silero_vad.onnx", "openvino": "silero_vad_openvino_16k.onnx"},
        onnx_inputs=silero_inputs,
    ),
}


def made(name):
    """The module in eval mode, its archive's script module and its inputs; the same in every process."""
    model = MODELS[name]
    torch.manual_seed(0)
    module = model.make().eval()
    inputs = model.inputs()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    if model.archive_only:
        script = module
    elif model.script:
        script = model.script()
        script.load_state_dict(module.state_dict())
    else:
        script = torch.jit.trace(module, inputs, check_trace=False)
    return module, script.eval(), inputs
