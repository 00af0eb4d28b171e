"""Whole vision models: classification, segmentation, detection, generation."""

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from models import with_random_statistics, with_statistics_of
from registry import archive, differs_from_original, scripted, traced


@archive
def resnet18():
    return traced(with_random_statistics(torchvision.models.resnet18()), torch.randn(1, 3, 224, 224))


@archive
def resnet18_scripted_small():
    return scripted(with_random_statistics(torchvision.models.resnet18(num_classes=10)), torch.randn(2, 3, 64, 64))


@archive
def mobilenet_v2():
    return traced(with_random_statistics(torchvision.models.mobilenet_v2()), torch.randn(1, 3, 96, 96))


@archive
def mobilenet_v3_small_scripted():
    return scripted(with_random_statistics(torchvision.models.mobilenet_v3_small()), torch.randn(1, 3, 64, 64))


@archive
def squeezenet():
    return scripted(torchvision.models.squeezenet1_1(), torch.randn(1, 3, 64, 64))


@archive
def shufflenet():
    return traced(with_random_statistics(torchvision.models.shufflenet_v2_x0_5()), torch.randn(1, 3, 64, 64))


@archive
def vision_transformer():
    model = torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=5
    )
    return scripted(model, torch.randn(1, 3, 32, 32))


@archive
def segmentation():
    class Segments(nn.Module):
        def __init__(self):
            super().__init__()
            self.down1 = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
            self.down2 = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
            self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
            self.head = nn.Conv2d(16, 4, 1)

        def forward(self, x):
            size = x.shape[-2:]
            a = self.down1(x)
            b = self.down2(F.max_pool2d(a, 2))
            logits = self.head(torch.cat([a, self.up(b)], 1))
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
            return {"out": logits, "mask": logits.argmax(1)}

    return scripted(with_random_statistics(Segments()), torch.randn(1, 3, 32, 32))


@archive
def segmentation_lraspp():
    model = torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights_backbone=None, num_classes=4)
    return scripted(with_random_statistics(model), torch.randn(1, 3, 64, 64))


class Detector(nn.Module):
    """A one-stage detector: a grid of boxes, scores, non-maximum suppression."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4, padding=1), nn.ReLU())
        self.scores, self.boxes = nn.Conv2d(8, 1, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x, threshold: float = 0.5):
        features = self.backbone(x)
        scores = self.scores(features).sigmoid().reshape(-1)
        offsets = self.boxes(features).permute(0, 2, 3, 1).reshape(-1, 4)
        rows, columns = torch.meshgrid(torch.arange(features.size(2)), torch.arange(features.size(3)), indexing="ij")
        centres = torch.stack([columns, rows], -1).reshape(-1, 2).to(x.dtype) * 4
        extents = offsets[:, 2:].exp() * 8
        boxes = torch.cat([centres + offsets[:, :2] - extents / 2, centres + offsets[:, :2] + extents / 2], 1)
        keep = scores > threshold
        scores, boxes = scores[keep], boxes[keep]
        kept = torch.ops.torchvision.nms(boxes, scores, 0.4)
        return boxes[kept], scores[kept]


@archive
def detection_nms():
    return scripted(Detector(), torch.randn(1, 3, 32, 32))


def with_images(boxes, features):
    """Boxes [K, 4] as regions [K, 5], of one image after the other."""
    images = torch.arange(boxes.size(0), device=boxes.device) % features.size(0)
    return torch.cat([images.to(boxes.dtype).unsqueeze(1), boxes], 1)


@archive
def detection_roi_align():
    class Heads(nn.Module):
        def forward(self, features, boxes):
            rois = with_images(boxes, features)
            aligned = torch.ops.torchvision.roi_align(features, rois, 0.5, 3, 3, 2, False)
            adaptive = torch.ops.torchvision.roi_align(features, rois, 1.0, 2, 4, -1, True)
            pooled, where = torch.ops.torchvision.roi_pool(features, rois, 0.5, 3, 2)
            return aligned.relu() * 2, adaptive, pooled, where

    features = torch.randn(2, 3, 12, 10)
    corners = torch.rand(5, 2) * 8
    return scripted(Heads(), features, torch.cat([corners, corners + torch.rand(5, 2) * 10], 1))


@archive
def detection_regions():
    class Regions(nn.Module):
        def forward(self, features, boxes):
            rois = with_images(boxes, features)
            results = []
            for sampling in [0, 1, 3]:
                for aligned in [False, True]:
                    results.append(torch.ops.torchvision.roi_align(features, rois, 0.5, 3, 2, sampling, aligned))
            wide, wide_rois = features.double(), rois.double()
            results.append(torch.ops.torchvision.roi_align(wide, wide_rois, 0.7, 2, 2, 0, True))
            halves, half_rois = features.half(), rois.half()
            results.append(torch.ops.torchvision.roi_align(halves, half_rois, 0.7, 2, 2, 2, True).float())
            last = features.contiguous(memory_format=torch.channels_last)
            results.append(torch.ops.torchvision.roi_align(last, rois, 1.0, 2, 2, 2, True))
            for scale in [0.5, 1.0]:
                results += torch.ops.torchvision.roi_pool(features, rois, scale, 2, 3)
            results += torch.ops.torchvision.roi_pool(wide, wide_rois, 0.7, 3, 3)
            results += torch.ops.torchvision.roi_pool(halves, half_rois, 0.7, 3, 3)
            results.append(torch.ops.torchvision.roi_align(features, rois[:0], 1.0, 2, 2, 2, True))
            results += torch.ops.torchvision.roi_pool(features, rois[:0], 1.0, 2, 2)
            return results

    # Inside of the image, across its edges, beyond them, around all of it, of one point, the wrong way round.
    boxes = [[1, 1, 7, 6], [-3, -4, 2.5, 1.5], [6, 8, 30, 40], [50, 60, 70, 80], [-40, -40, 50, 60], [5, 5, 5, 5],
             [7, 6, 2, 1], [0.3, 2.7, 5.2, 9.9], [-90, -90, -50, -50], [0.5, 0.5, 3.5, 3.5]]  # fmt: skip
    return scripted(Regions(), torch.randn(2, 3, 12, 10), torch.tensor(boxes))


@archive
def detection_sensitive_regions():
    class Regions(nn.Module):
        def forward(self, features, boxes):
            rois = with_images(boxes, features)
            results = []
            for sampling in [0, 1, 3]:
                results += torch.ops.torchvision.ps_roi_align(features, rois, 0.5, 3, 2, sampling)
            results += torch.ops.torchvision.ps_roi_align(features, rois[:4], 1.0, 2, 3, 2)
            for scale in [0.5, 1.0]:
                results += torch.ops.torchvision.ps_roi_pool(features, rois, scale, 2, 3)
            wide, wide_rois = features.double(), rois.double()
            results += torch.ops.torchvision.ps_roi_align(wide, wide_rois, 0.7, 2, 2, 0)
            results += torch.ops.torchvision.ps_roi_pool(wide, wide_rois, 0.7, 3, 2)
            halves, half_rois = features.half(), rois.half()
            results.append(torch.ops.torchvision.ps_roi_align(halves, half_rois, 0.7, 2, 2, 2)[0].float())
            results.append(torch.ops.torchvision.ps_roi_pool(halves, half_rois, 0.7, 2, 2)[0].float())
            results += torch.ops.torchvision.ps_roi_align(features, rois[:0], 1.0, 2, 2, 2)
            return results

    boxes = [[1, 1, 7, 6], [-3, -4, 2.5, 1.5], [6, 8, 30, 40], [50, 60, 70, 80], [-40, -40, 50, 60], [5, 5, 5, 5],
             [7, 6, 2, 1], [0.3, 2.7, 5.2, 9.9], [-90, -90, -50, -50], [0.5, 0.5, 3.5, 3.5]]  # fmt: skip
    return scripted(Regions(), torch.randn(2, 12, 12, 10), torch.tensor(boxes))


class DeformableBlock(nn.Module):
    """What a detector's backbone has: a convolution says where the taps of the next one read."""

    def __init__(self):
        super().__init__()
        self.where = nn.Conv2d(6, 3 * 9, 3, padding=1)
        self.deformable = torchvision.ops.DeformConv2d(6, 8, 3, padding=1)

    def forward(self, x):
        moves, mask = self.where(x).split([18, 9], 1)
        return self.deformable(x, moves * 2, mask.sigmoid()).relu(), self.deformable(x, moves)


@archive
def detection_deformable_block():
    return traced(DeformableBlock(), torch.randn(2, 6, 12, 10))


@archive
def detection_deform_conv2d():
    class Deformable(nn.Module):
        def forward(self, x, weight, offset, mask, bias):
            deform = torch.ops.torchvision.deform_conv2d
            results = [deform(x, weight, offset, mask, bias, 2, 1, 1, 2, 1, 2, 2, 3, True)]
            results.append(deform(x, weight, offset, mask, bias, 2, 1, 1, 2, 1, 2, 2, 3, False))
            far = offset * 40
            results.append(deform(x, weight, far, mask, bias, 2, 1, 1, 2, 1, 2, 2, 3, True))
            whole = offset.round()
            results.append(deform(x, weight, whole, mask, bias, 2, 1, 1, 2, 1, 2, 2, 3, True))
            last = x.contiguous(memory_format=torch.channels_last)
            results.append(deform(last, weight, offset, mask, bias, 2, 1, 1, 2, 1, 2, 2, 3, True))
            wide = deform(x.double(), weight.double(), offset.double(), mask.double(), bias.double(),
                          2, 1, 1, 2, 1, 2, 2, 3, True)  # fmt: skip
            halves = deform(x.half(), weight.half(), offset.half(), mask.half(), bias.half(),
                            2, 1, 1, 2, 1, 2, 2, 3, True)  # fmt: skip
            none = deform(x[:0], weight, offset[:0], mask[:0], bias, 2, 1, 1, 2, 1, 2, 2, 3, True)
            return results + [wide, halves.float(), none]

    # Filters of 3 x 2 taps, strides (2, 1), paddings (1, 2), dilations (1, 2), two groups, three of offsets.
    x, weight, bias = torch.randn(2, 6, 11, 40), torch.randn(4, 3, 3, 2), torch.randn(4)
    offset, mask = torch.randn(2, 3 * 2 * 6, 6, 42) * 2, torch.rand(2, 3 * 6, 6, 42)
    return scripted(Deformable(), x, weight, offset, mask, bias)


@archive
def detection_faster_rcnn():
    model = torchvision.models.detection.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=4, min_size=96, max_size=96, box_detections_per_img=5
    )
    # Scores that don't tie, whose order would be rounding's, and boxes that don't multiply it.
    with_statistics_of(model, [torch.rand(3, 96, 96)])
    for boxes in (model.rpn.head.bbox_pred, model.roi_heads.box_predictor.bbox_pred):
        boxes.weight.data.mul_(0.05)
    # In script the model returns (losses, detections), in Python the detections alone.
    return differs_from_original(scripted(model, [torch.rand(3, 96, 96)]))


@archive
def generator():
    model = nn.Sequential(
        nn.ConvTranspose2d(16, 16, 4), nn.BatchNorm2d(16), nn.ReLU(True),
        nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(0.2, True),
        nn.Upsample(scale_factor=2), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip
    return traced(with_random_statistics(model), torch.randn(2, 16, 1, 1))


@archive
def super_resolution():
    model = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.Tanh(), nn.Conv2d(16, 9, 3, padding=1), nn.PixelShuffle(3))
    return scripted(model, torch.rand(1, 1, 12, 12))


@archive
def squeeze_and_excite():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.expand, self.depth = nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.squeeze, self.excite, self.project = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1), nn.Conv2d(8, 4, 1)

        def forward(self, x):
            y = F.silu(self.depth(F.silu(self.expand(x))))
            gate = torch.sigmoid(self.excite(F.silu(self.squeeze(y.mean((2, 3), keepdim=True)))))
            return x + self.project(y * gate)

    return traced(Block(), torch.randn(2, 4, 9, 9))


@archive
def image_preprocessing():
    class Preprocess(nn.Module):
        def forward(self, image):
            x = image.permute(2, 0, 1).unsqueeze(0).float() / 255
            mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
            x = (x - mean[:, None, None]) / std[:, None, None]
            return F.interpolate(x, size=[8, 8], mode="bilinear", align_corners=False, antialias=True)

    return scripted(Preprocess(), torch.randint(0, 256, (20, 24, 3), dtype=torch.uint8))
