"""The table of costs in force, and the lines that follow from it."""

from __future__ import annotations

import shutil
from pathlib import Path

from bot.app import costs_in_force, model_folder
from bot.settings import Settings
from models.artifact import read_lines
from models.lines import set_sizes
from models.predict import CATEGORIES, SEVERITIES
from triage.costs import SHIPPED
from triage.errors import BadInput


def copy_costs(settings: Settings) -> Path:
    """Put the program's table of costs into the data folder, to be changed there; BadInput when there is one."""
    own = settings.data_dir / "costs.toml"
    if own.exists():
        raise BadInput(f"there is one already: {own}")
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copy(SHIPPED, own)
    return own


def lines_report(settings: Settings) -> str:
    """The table of costs in force, and the lines that follow from it, as text."""
    folder, costs = model_folder(settings), costs_in_force(settings)
    before = read_lines(folder, encoder=settings.encoder)
    now = read_lines(folder, encoder=settings.encoder, costs=costs)
    path = settings.costs_path
    lines = [
        f"{costs.origin} table of costs{f' ({path})' if path else ''}",
        f"model {now.version}",
        "",
        f"{'class':16s} may be missed   line  as the model was made",
    ]
    rows = [
        *zip(
            (c.value for c in CATEGORIES),
            costs.category.values(),
            now.thresholds.category,
            before.thresholds.category,
            strict=True,
        ),
        *zip(
            (s.label for s in SEVERITIES),
            costs.severity.values(),
            now.thresholds.severity,
            before.thresholds.severity,
            strict=True,
        ),
    ]
    lines += [f"{label:16s} {share:13.3f} {line:6.3f} {made:22.3f}" for label, share, line, made in rows]
    if now.scores is None:
        return "\n".join([*lines, "", "This model keeps no held-out scores: its lines cannot be drawn anew."])
    sizes = set_sizes(now.thresholds, now.scores)
    lines += [
        "",
        (
            f"Of {sizes['messages']:.0f} messages held out, {sizes['several_categories']:.0%} could be of several "
            f"categories; of the concerns among them, {sizes['red_among_others']:.0%} could be red among others."
        ),
    ]
    return "\n".join(lines)
