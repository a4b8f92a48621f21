"""The semantic view: a small sentence encoder, trained on our corpus, run by onnxruntime without torch.

It reads up to 512 word pieces at once; longer texts are read in overlapping windows, and the most
protective window wins, as the guide has it. Beside its answers it says of every word piece how much
it decides, which is where explanations come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from models.calibration import sigmoid
from models.predict import COLUMNS

Array = np.ndarray

_WINDOW = 510
_STRIDE = 380
_MOST_WINDOWS = 12
_SAFEGUARDING = 0


@dataclass(frozen=True)
class Encoded:
    """One text as the encoder sees it: its answers, and each piece's character span and weight (0 to 1)."""

    answers: Array
    spans: list[tuple[int, int]]
    deciding: Array


class OnnxEncoder:
    """The encoder of an artefact; safe to share between threads."""

    def __init__(self, folder: Path, *, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> Array:
        """One row of answers (logits, by COLUMNS) a text."""
        return np.vstack([self.read(text).answers for text in texts])

    def read(self, text: str) -> Encoded:
        """The answers for one text, and where in it they come from."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids, spans = encoding.ids, encoding.offsets
        windows = [(start, ids[start : start + _WINDOW]) for start in _starts(len(ids))]
        answers, deciding = [], np.zeros(len(ids), dtype=np.float32)
        for start, window in windows:
            said, weights = self._run(window)
            answers.append(said)
            end = start + len(window)
            deciding[start:end] = np.maximum(deciding[start:end], weights)
        return Encoded(_most_protective(np.vstack(answers)), spans, deciding)

    def _run(self, ids: Sequence[int]) -> tuple[Array, Array]:
        begin, stop = self._tokenizer.token_to_id("[CLS]"), self._tokenizer.token_to_id("[SEP]")
        row = np.array([[begin, *ids, stop]], dtype=np.int64)
        outputs: list[Any] = self._session.run(
            ["answers", "evidence"], {"input_ids": row, "attention_mask": np.ones_like(row)}
        )
        return outputs[0][0], sigmoid(outputs[1][0][1:-1])


def _starts(pieces: int) -> list[int]:
    if pieces <= _WINDOW:
        return [0]
    return list(range(0, pieces - (_WINDOW - _STRIDE), _STRIDE))[:_MOST_WINDOWS]


def _most_protective(windows: Array) -> Array:
    """One row of answers from those of all windows: the category of the gravest, of the rest the strongest."""
    if len(windows) == 1:
        return np.asarray(windows[0])
    row = windows.max(axis=0)
    category = windows[:, COLUMNS["category"]]
    lead = category[:, _SAFEGUARDING] - np.delete(category, _SAFEGUARDING, axis=1).max(axis=1)
    row[COLUMNS["category"]] = category[int(lead.argmax())]
    return np.asarray(row)
