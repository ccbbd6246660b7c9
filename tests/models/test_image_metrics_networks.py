"""Judge `image_metrics` with real library code: SSIM, CLIP and DINO of tiny random models, LPIPS and DISTS."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_parts
from PIL import Image

from editeval.errors import MachineError
from editeval.images import encode_png
from editeval.judges.image_metrics import ImageMetricsJudge, ImageMetricsParams
from editeval.judges.local import encoders
from editeval.types import JudgeRequest

pytestmark = pytest.mark.models


def picture(seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC)


def request(**changes: Any) -> JudgeRequest:
    wanted: dict[str, Any] = {"reference_text": "a red boat", "metadata": {"input_caption": "a blue boat"}, **changes}
    images = (encode_png(picture(n)) for n in (1, 2, 3))
    source, edited, target = images
    return JudgeRequest("a", (source,), wanted.pop("edited", edited), "make it red", target=target, **wanted)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    folder = tmp_path_factory.mktemp("clip")
    tokenizer, encoder = tiny_parts.clip_text()
    vision = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=encoder.config.to_dict(),
        vision_config={**vision, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 2}
    ViTModel(ViTConfig(**sizes, image_size=32, patch_size=16), add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def scores(one: JudgeRequest, **params: Any) -> dict[str, float | str | None]:
    judge = ImageMetricsJudge(ImageMetricsParams(**params))
    judge.load(["cpu"])
    (row,) = judge.judge([one])
    return {score.metric: score.reason or score.value for score in row}


def test_ssim_is_that_of_torchmetrics() -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure

    pair = [encoders.pixels(picture(n), "cpu") for n in (2, 3)]
    expected, each = structural_similarity_index_measure(*pair, data_range=1.0, return_full_image=True)
    assert scores(request(), metrics=("ssim",))["ssim"] == pytest.approx(float(expected), abs=1e-5)
    mask = Image.new("L", (48, 40), 0)
    mask.paste(255, (0, 0, 24, 40))
    outside = scores(request(mask=encode_png(mask)), metrics=("ssim",), region="outside_mask")
    assert outside["ssim"] == pytest.approx(float(each[..., 24:].mean()), abs=1e-5)


def test_clip_metrics_are_those_of_a_plain_forward_pass(clip: Path) -> None:
    import torch
    from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

    model, tokenizer = CLIPModel.from_pretrained(clip).eval(), AutoTokenizer.from_pretrained(clip)
    images = CLIPImageProcessor.from_pretrained(clip)([picture(n) for n in (1, 2, 3)], return_tensors="pt")
    texts = tokenizer(["a blue boat", "a red boat"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        out = model(**texts, **images)
    source, edited, target = (out.image_embeds / out.image_embeds.norm(dim=1, keepdim=True)).double()
    before, after = (out.text_embeds / out.text_embeds.norm(dim=1, keepdim=True)).double()
    cosine = torch.nn.functional.cosine_similarity
    expected = {
        "clip_i": float(edited @ target),
        "clip_t": float(edited @ after),
        "clip_dir": float(cosine(edited - source, after - before, dim=0)),
    }
    found = scores(request(), metrics=tuple(expected), clip_model=str(clip))
    assert found == pytest.approx(expected, abs=1e-4)
    assert abs(expected["clip_dir"]) > 1e-3


def test_no_change_has_no_direction_and_a_sample_without_captions_no_score(clip: Path) -> None:
    params = {"metrics": ("clip_dir", "clip_t"), "clip_model": str(clip)}
    unchanged = request(edited=encode_png(picture(1)))
    assert scores(unchanged, **params)["clip_dir"] == 0.0
    assert scores(request(metadata={}), **params)["clip_dir"] == "no_reference"
    assert set(scores(request(reference_text=""), **params).values()) == {"no_reference"}


def test_dino_is_the_cosine_of_the_first_tokens(dino: Path) -> None:
    import torch
    from transformers import ViTImageProcessor, ViTModel

    model = ViTModel.from_pretrained(dino, add_pooling_layer=False).eval()
    shown = ViTImageProcessor.from_pretrained(dino)([picture(n) for n in (2, 3)], return_tensors="pt")
    with torch.inference_mode():
        one, other = model(**shown).last_hidden_state[:, 0].double()
    expected = float(torch.nn.functional.cosine_similarity(one, other, dim=0))
    found = scores(request(), metrics=("dino",), dino_model=str(dino))
    assert found["dino"] == pytest.approx(expected, abs=1e-5)


def test_weights_that_are_missing_or_of_another_model_are_one_line(clip: Path, dino: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"clip_model.*model of type 'vit'"):
        scores(request(), metrics=("clip_i",), clip_model=str(dino))
    commit = "0" * 40
    with pytest.raises(MachineError, match=r"clip_model: 'somebody/clip' .*cannot be loaded"):
        scores(request(), metrics=("clip_i",), clip_model="somebody/clip", clip_revision=commit)
    with pytest.raises(MachineError, match=r"lpips: .*torchvision"):
        scores(request(), metrics=("lpips",))


TORCHVISION = """
import torch
from torch import nn

def __getattr__(name):  # what torchmetrics imports besides
    if name.startswith("__"):
        raise AttributeError(name)
    return None

class AlexNet_Weights:
    DEFAULT = "seed 0"

class VGG16_Weights:
    DEFAULT = "seed 1"

def alexnet(weights=None):
    torch.manual_seed(0)
    sizes = [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1)]
    convs = [nn.Conv2d(a, b, k, stride=s, padding=p) for a, b, k, s, p in sizes]
    pool = lambda: nn.MaxPool2d(3, 2)
    relu = lambda: nn.ReLU(inplace=True)
    net = nn.Module()
    net.features = nn.Sequential(convs[0], relu(), pool(), convs[1], relu(), pool(), convs[2], relu(), convs[3],
                                 relu(), convs[4], relu(), pool())
    return net

def vgg16(weights=None):
    torch.manual_seed(1)
    layers, last = [], 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width:
            layers += [nn.Conv2d(last, width, 3, padding=1), nn.ReLU(inplace=True)]
            last = width
        else:
            layers.append(nn.MaxPool2d(2, 2))
    net = nn.Module()
    net.features = nn.Sequential(*layers)
    return net
"""
CHILD = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from test_image_metrics_networks import picture, request, scores
from editeval.images import encode_png
same = request(edited=encode_png(picture(3)))
found = [scores(one, metrics=("lpips", "dists")) for one in (request(), same, request())]
import torch
from torchmetrics.functional.image import learned_perceptual_image_patch_similarity as lpips
from torchmetrics.functional.image.dists import deep_image_structure_and_texture_similarity as dists
from editeval.judges.local.encoders import pixels
pair = [pixels(picture(n), "cpu") for n in (2, 3)]
expected = {"lpips": float(lpips(*pair, net_type="alex", normalize=True)), "dists": float(dists(*pair))}
print(json.dumps([*found, expected]))
"""


def test_lpips_and_dists_are_those_of_torchmetrics_and_0_for_equal_images(tmp_path: Path) -> None:
    """torchvision cannot be installed beside the torch of these tests: a stand-in with random weights has its names."""
    package, info = tmp_path / "torchvision", tmp_path / "torchvision-0.99.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("from . import models, transforms\n__version__ = '0.99.0'\n")
    (package / "transforms.py").write_text("")
    (package / "models.py").write_text(TORCHVISION)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99.0\n")
    here = Path(__file__).parent
    places = [str(tmp_path), str(here), str(here.parent), str(here.parent.parent / "src")]
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(CHILD), json.dumps(places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    first, same, again, expected = json.loads(done.stdout.splitlines()[-1])
    assert first == again == pytest.approx(expected, abs=1e-5)
    assert same == pytest.approx({"lpips": 0.0, "dists": 0.0}, abs=1e-5)
    assert min(expected.values()) > 1e-4
