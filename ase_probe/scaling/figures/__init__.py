"""The figures of the study: each a function of a `Summary`, each with a caption made from it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ase_probe.errors import InputError
from ase_probe.scaling.data.level import LEVEL
from ase_probe.scaling.figures import controls, front, h2, loss, outcomes, shots, style
from ase_probe.scaling.summary import Summary
from ase_probe.scaling.summary.text import NOT_ASKED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "Drawn", "write_figures"]


@dataclass(frozen=True)
class Drawn:
    """A kind of figure.

    Attributes
    ----------
    draw
        Draws it; `None` where there is nothing to draw yet.
    caption
        What is to be seen.
    """

    draw: Callable[[Summary], Figure | None]
    caption: str


FIGURES: dict[str, Drawn] = {
    "h2": Drawn(
        h2.draw,
        "H2, every network beside the exact curve and the labels' own level, restricted and "
        f"unrestricted ({LEVEL}). Left: trained on stable molecules only, paler with fewer "
        "molecules. Middle and right: fine-tuned on k stretched and compressed geometries. "
        "Networks are counted from their energy at 10 Å, references from separate atoms. "
        + NOT_ASKED,
    ),
    "loss": Drawn(
        loss.draw,
        "Test loss against the number of training molecules. Points are runs, lines the fitted "
        "law, bands its 95 % bootstrap interval. With a fixed number of steps small sets are seen "
        "more often.",
    ),
    "outcomes": Drawn(
        outcomes.draw,
        "Outcomes of the H2 curve against the test loss; networks trained on stable molecules "
        "only.",
    ),
    "shots": Drawn(
        shots.draw,
        "Fine-tuning on k geometries, with H2 among them or without. Points are seeds, lines their "
        "means, the dotted line the control.",
    ),
    "controls": Drawn(
        controls.draw,
        "Bonds that QM9 is full of, in networks trained on stable molecules only, with the largest "
        "training set. All curves are counted from the bond's equilibrium length.",
    ),
    "chemgpt": Drawn(
        loss.draw_language,
        "ChemGPT on MOSES: test loss in nats a token against training molecules and against "
        "parameters without embeddings. Lines and bands as above.",
    ),
    "front": Drawn(
        front.draw,
        "Test loss against the CPU time of training; the line joins the runs that no cheaper one "
        "beats.",
    ),
}
"""Name -> figure, in the order of a report."""


def write_figures(
    summary: Summary,
    folder: str | Path,
    names: Collection[str] = (),
    *,
    endings: Collection[str] = (".svg", ".png"),
) -> dict[str, str]:
    """Draw figures into a folder.

    Parameters
    ----------
    summary
        What to draw.
    folder
        Made if missing; ``h2.svg`` and so on.
    names
        Which; by default all.
    endings
        ``.svg``, ``.png`` or both.

    Returns
    -------
    dict
        Name -> caption of what was drawn. What has no run yet is left out, and a drawing of it from
        an earlier report is removed.

    Raises
    ------
    InputError
        An unknown name.
    ModelNotInstalledError
        Matplotlib is missing.
    """
    unknown = sorted(set(names) - set(FIGURES))
    if unknown:
        raise InputError(f"No figure {', '.join(unknown)}; there are {', '.join(FIGURES)}.")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    captions = {}
    for name, kind in FIGURES.items():
        if names and name not in names:
            continue
        with style.styled():
            figure = kind.draw(summary)
            for ending in endings:
                path = target / f"{name}{ending}"
                if figure is None:
                    path.unlink(missing_ok=True)
                else:
                    style.write(figure, path)
        if figure is not None:
            unfinished = "" if summary.count.complete else f" Sweep: {summary.count}."
            captions[name] = kind.caption + unfinished
    return captions
