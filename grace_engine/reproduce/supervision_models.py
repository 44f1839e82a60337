"""Which smaller model is trained beside the shipped one?"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grace_engine import training
from grace_engine.jobs import having_device
from grace_engine.models.load import device_name, load_tokenizer, resolve_device
from grace_engine.models.locate import ModelFiles
from grace_engine.progress import Progress
from grace_engine.training import Example, TrainSettings
from grace_engine.training.loading import weights_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallerSettings:
    """How parts of the shipped model become a model that solves problems.

    Attributes:
        layers: Those that are kept, from 0.
        n_neurons: Neurons that are kept of each layer's feed-forward part.
        n_examples: Detailed solutions of other problems that it then reads once.
        learning_rate: The highest one.
        batch_size: Examples of an optimizer step.
    """

    layers: tuple[int, ...] = (0, 1, 2, 4)
    n_neurons: int = 192
    n_examples: int = 1200
    learning_rate: float = 1.5e-3
    batch_size: int = 16


def smaller_model(
    folder: Path,
    settings: SmallerSettings,
    examples: Sequence[Example],
    train: TrainSettings,
    model: ModelFiles,
    progress: Progress,
) -> Path:
    """The folder of the smaller model; one that is there already is not made again.

    Args:
        folder: Where it is made.
        settings: How.
        examples: What it learns from.
        train: Settings of a training, of which it takes what ``settings`` does not say.
        model: The model whose layers it has.
        progress: Told of its training.
    """
    finished, part = folder / "models" / "smaller", folder / "models" / ".smaller.part"
    device = device_name(resolve_device(train.device))
    with having_device(device, f"reproduction in {folder}", progress.say):
        if not finished.exists():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            weights = pruned(weights_of(model.folder, train), settings.layers, settings.n_neurons)
            faster = replace(
                train, learning_rate=settings.learning_rate, batch_size=settings.batch_size
            )
            progress.say(f"Warming up a model of {len(settings.layers)} layers.")
            training.train(weights, load_tokenizer(model), examples, faster, part, progress)
            (part / "model").rename(finished)
            shutil.rmtree(part)
    return finished


def pruned(model: Any, layers: Sequence[int], n_neurons: int) -> Any:
    """The model with some of its layers alone, in their order; it is changed in place.

    Of their feed-forward parts the neurons stay whose weights in and out are the largest.
    """
    from torch import nn

    body, config = model.model, model.config
    body.layers = nn.ModuleList([body.layers[place] for place in layers])
    for place, layer in enumerate(body.layers):
        layer.self_attn.layer_idx = place
        mlp = layer.mlp
        weight = mlp.up_proj.weight.norm(dim=1) * mlp.down_proj.weight.norm(dim=0)
        kept = weight.topk(n_neurons).indices.sort().values
        for linear, dim in ((mlp.up_proj, 0), (mlp.gate_proj, 0), (mlp.down_proj, 1)):
            linear.weight = nn.Parameter(linear.weight.detach().index_select(dim, kept))
            linear.out_features, linear.in_features = linear.weight.shape
        mlp.intermediate_size = n_neurons
    config.num_hidden_layers, config.intermediate_size = len(layers), n_neurons
    config.layer_types = [config.layer_types[place] for place in layers]
    return model
