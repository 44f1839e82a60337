"""Is every model that cannot be scored with refused in one sentence, with no run left behind?"""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from grace_engine import api

SHIPPED = Path(__file__).resolve().parents[2] / "sample_data" / "tiny-reasoner"
Grace = Callable[..., tuple[int, str, str]]
Change = Callable[[Path], object]


def rewrite(name: str, **values: object) -> Change:
    """Change fields of one of the model's JSON files."""

    def change(model: Path) -> None:
        known = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps(known | values))

    return change


def replace_config(**values: object) -> Change:
    return lambda model: (model / "config.json").write_text(json.dumps(values))


def pickled(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def pickled_beside_others(model: Path) -> None:
    """Weights that the library would unpickle, beside safetensors of something else."""
    weights = model / "model.safetensors"
    torch.save(load_file(weights), model / "pytorch_model.bin")
    weights.rename(model / "head.safetensors")


def without_offsets(model: Path) -> None:
    """ByT5's tokenizer is Python code of the library that reports no characters."""
    for name in ("tokenizer.json", "chat_template.jinja"):
        (model / name).unlink(missing_ok=True)
    (model / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')


def with_code(model: Path) -> None:
    auto = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    (model / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto}))
    (model / "code.py").write_text("raise SystemExit('the code ran')")


def half(model: Path) -> None:
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def not_a_number(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


BAD: dict[str, tuple[Change, str]] = {
    "no weights": (
        lambda model: (model / "model.safetensors").unlink(),
        "holds no weights: no *.safetensors in it",
    ),
    "pickle only": (pickled, "has only pickled weights, which can run code when opened"),
    "pickle beside other weights": (pickled_beside_others, "no file named model.safetensors"),
    "no config": (lambda model: (model / "config.json").unlink(), "holds no config.json"),
    "no tokenizer": (
        lambda model: [path.unlink() for path in model.glob("tokenizer*")],
        "is missing or knows no tokens",
    ),
    "tokenizer without offsets": (without_offsets, "does not report which characters"),
    "encoder and decoder": (
        replace_config(model_type="t5", d_model=8, num_layers=1, num_heads=1),
        "is not a causal language model",
    ),
    "unknown architecture": (
        replace_config(model_type="frobnicator", architectures=["FrobnicatorLM"]),
        "frobnicator",
    ),
    "config is no JSON": (
        lambda model: (model / "config.json").write_text("{"),
        "cannot be loaded",
    ),
    "encoder alone": (
        rewrite("config.json", model_type="bert", architectures=["BertForMaskedLM"]),
        "is not a causal language model: its config.json says bert",
    ),
    "wider than its weights": (
        rewrite("config.json", intermediate_size=999),
        " × 160 in the file and 999 × 160 in the config; ",
    ),
    "deeper than its weights": (
        rewrite("config.json", num_hidden_layers=9, layer_types=["full_attention"] * 9),
        " is missing; ",
    ),
    "shallower than its weights": (
        rewrite("config.json", num_hidden_layers=4, layer_types=["full_attention"] * 4),
        "model.layers.4 is in the file and beyond what the config counts",
    ),
    "a config that contradicts itself": (
        rewrite("config.json", num_hidden_layers=9),
        "its config.json contradicts itself: `num_hidden_layers` (9) must be equal",
    ),
    "weights that are no numbers": (not_a_number, "logits that are no numbers (NaN)"),
    "half a download": (half, "is no readable safetensors file"),
    "remote code": (with_code, "comes with its own Python code. Read that code"),
}


@pytest.fixture
def unscored(tmp_path: Path, sample_file: Path) -> api.Workspace:
    workspace = api.open_workspace(tmp_path / "workspace", create=True)
    api.ingest(workspace, [sample_file])
    return workspace


def refused(grace: Grace, workspace: api.Workspace, model: Path | str, *more: str) -> str:
    """The one sentence with which a model is refused."""
    words = ("score", "--sample", 2, "--model", model, *more, "--workspace", workspace.root)
    status, out, err = grace(*words)
    assert (status, out) == (1, ""), err
    assert "Traceback" not in err
    (sentence,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert str(model) in sentence
    assert api.list_runs(workspace) == []
    return sentence


@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=list(BAD))
def test_a_folder_that_cannot_be_scored_with_is_refused(
    unscored: api.Workspace, tmp_path: Path, grace: Grace, change: Change, said: str
) -> None:
    model = tmp_path / "a model"
    shutil.copytree(SHIPPED, model)
    change(model)
    sentence = refused(grace, unscored, model)
    assert said in sentence
    assert len(sentence) < 700


def test_weights_for_another_purpose_go_unused(
    unscored: api.Workspace, tmp_path: Path, grace: Grace
) -> None:
    model = tmp_path / "a model"
    shutil.copytree(SHIPPED, model)
    weights = load_file(model / "model.safetensors")
    layer = {name: w for name, w in weights.items() if name.startswith("model.layers.4.")}
    weights |= {name.replace(".4.", ".5."): w.clone() for name, w in layer.items()}
    weights |= {"model.layers.5.joint.weight": torch.ones(2), "value.0.weight": torch.ones(2)}
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})

    status, _, err = grace("score", "--sample", 2, "--model", model, "--workspace", unscored.root)

    assert status == 0, err
    assert api.list_runs(unscored)[0].n_scored == 2


@contextmanager
def hub(monkeypatch: pytest.MonkeyPatch, cache: Path, answer: Callable[[str], tuple]) -> Iterator:
    """A hub on this machine: ``answer`` gives status, error code and body of a path."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, code, body = answer(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the name that the server calls

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with monkeypatch.context() as patch:
            constants = "huggingface_hub.constants"
            patch.setattr(f"{constants}.ENDPOINT", url)
            template = url + "/{repo_id}/resolve/{revision}/{filename}"
            patch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)
            patch.setattr(f"{constants}.HF_HUB_CACHE", str(cache))
            patch.setattr(f"{constants}.HF_HUB_OFFLINE", False)
            yield asked
    finally:
        server.shutdown()
        server.server_close()


def gated(path: str) -> tuple[int, str, object]:
    """As the hub does: anyone may see what a gated model consists of, few may have it."""
    if "/api/models/" in path:
        names = ("config.json", "model.safetensors")
        if "/tree/" in path:
            tree = [{"type": "file", "path": name, "oid": "0", "size": 9} for name in names]
            return 200, "", tree
        siblings = [{"rfilename": name} for name in names]
        return 200, "", {"id": "owner/model", "sha": "0" * 40, "siblings": siblings}
    return 403, "GatedRepo", {"error": "Access to this model is restricted."}


HUB: dict[str, tuple[Callable[[str], tuple[int, str, object]], str]] = {
    "gated": (gated, "is gated: accept its terms on its hub page and log in with `hf auth login`"),
    "no such model": (
        lambda _path: (401, "RepoNotFound", {"error": "Repository not found"}),
        "is not on the hub under that name, or is private",
    ),
    "no such revision": (
        lambda _path: (404, "RevisionNotFound", {"error": "Invalid rev id"}),
        "has no revision 'v9' on the hub",
    ),
}


@pytest.mark.parametrize(("answer", "said"), HUB.values(), ids=list(HUB))
def test_what_a_hub_refuses_is_told_apart(
    unscored: api.Workspace,
    tmp_path: Path,
    grace: Grace,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[str], tuple[int, str, object]],
    said: str,
) -> None:
    with hub(monkeypatch, tmp_path / "cache", answer) as asked:
        sentence = refused(grace, unscored, "owner/model", "--revision", "v9")
    assert said in sentence
    assert any("owner/model" in path for path in asked)


@pytest.mark.parametrize("offline", [True, False], ids=["HF_HUB_OFFLINE", "no network"])
def test_without_a_network_a_hub_id_is_refused_and_a_folder_is_not(
    unscored: api.Workspace,
    tmp_path: Path,
    grace: Grace,
    monkeypatch: pytest.MonkeyPatch,
    offline: bool,
) -> None:
    constants = "huggingface_hub.constants"
    monkeypatch.setattr(f"{constants}.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(f"{constants}.ENDPOINT", "http://127.0.0.1:9")  # nobody is there
    sentence = refused(grace, unscored, "owner/model")
    assert "is not a folder here and the hub cannot be reached" in sentence
    words = ("--sample", 2, "--model", SHIPPED, "--workspace", unscored.root)
    assert grace("score", *words)[0] == 0
