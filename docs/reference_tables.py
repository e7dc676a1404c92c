"""Reference tables of the documentation, made from the code: pure functions that return Markdown.

`conf.py` writes them into ``docs/_generated`` on every build, so they cannot drift.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import click

from ase_probe import cli, models
from ase_probe.baselines import TIERS, Constants, Unavailable, constants
from ase_probe.baselines.bond import Bond, bond
from ase_probe.baselines.quantum.methods import METHODS
from ase_probe.baselines.tabulated import TABULATED
from ase_probe.checks import CHECKS, PROFILES
from ase_probe.checks.thresholds import LABEL_ALLOWANCE, THRESHOLDS, Cap, Limit, Threshold
from ase_probe.dimer import Dimer
from ase_probe.engine.opening import install_command
from ase_probe.grids import GRIDS
from ase_probe.pytest_plugin.options import OPTIONS
from ase_probe.registry import families
from ase_probe.report.digest import MEANING
from ase_probe.suites import QUICK, STANDARD

__all__ = ["TABLES", "write"]

_STORED = {
    "wavefunction": "computed ab initio curves, shipped as data; truth within a stated error.",
    **{name: f"{made.label}, shipped as data, branch by branch." for name, made in METHODS.items()},
}
"""Tier whose curves are computed and stored -> what it is."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(_cell, line)) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _doc(thing: object) -> str:
    return inspect.getdoc(thing) or ""


def _first(thing: object) -> str:
    """First paragraph of a docstring, as one line of Markdown."""
    return _doc(thing).partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def models_table() -> str:
    """Every model known by name."""
    return table(
        ("model", "family", "training data", "precision", "licence"),
        [
            (
                f"[`{card.name}`](#{_anchor(card.name)})",
                card.family,
                card.training_data or "not stated",
                ", ".join(card.dtypes) or "not stated",
                card.licence or "not stated",
            )
            for card in models()
        ],
    )


def families_table() -> str:
    """Every family and how to get it."""
    known = [(family.name, family.adapter) for family in families() if family.adapter]
    return table(
        ("family", "install", "runs on"),
        [
            (name, f"`{install_command(adapter)}`", ", ".join(adapter.devices))
            for name, adapter in known
        ],
    )


def cards() -> str:
    """Every stated fact of every card, one definition list per model."""
    parts = []
    for card in models():
        facts = [
            ("aliases", ", ".join(f"`{alias}`" for alias in card.aliases)),
            ("level of theory of the labels", card.level_of_theory),
            ("training data", card.training_data),
            ("tasks", ", ".join(f"`{task}`" for task in card.tasks)),
            ("elements", f"{len(card.elements)}" if card.elements else None),
            ("cutoff", f"{card.cutoff:g} Å" if card.cutoff else None),
            ("takes a charge", _yes(card.uses_charge)),
            ("takes a spin", _yes(card.uses_spin)),
            ("forces are the gradient of the energy", _yes(card.conservative)),
            ("zero of energy", card.energy_reference),
            ("parameters", f"{card.parameters:,}" if card.parameters else None),
            ("paper", card.doi and f"[{card.doi}](https://doi.org/{card.doi})"),
        ]
        stated = "\n".join(f"- {name}: {value}" for name, value in facts if value)
        parts.append(f"### `{card.name}`\n\n{stated}\n")
    return "\n".join(parts)


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def checks_table() -> str:
    """Id, first line of the docstring, unit, limits, scored?"""
    rows = []
    for check, function in CHECKS.items():
        limits = [row for name, row in THRESHOLDS.items() if name.partition(":")[0] == check]
        scored = "yes" if any(row.scored for row in limits) else "no"
        rows.append((f"[`{check}`](#{_anchor(check)})", _first(function), scored))
    return table(("check", "what it measures", "scored"), rows)


def _anchor(heading: str) -> str:
    """Return the anchor MyST gives to a heading."""
    return re.sub(r"[^\w-]", "", heading.lower())


def thresholds_table() -> str:
    """Every limit with its source."""
    return table(
        ("check", "pass", "fail", "scored", "source"),
        [
            (
                f"`{name.partition(':')[0]}`" + (f" {variant}" if variant else ""),
                _limit(row, row.passes, "≥" if _larger_is_better(row) else "≤"),
                _limit(row, row.fails, "<" if _larger_is_better(row) else ">"),
                "yes" if row.scored else "no",
                row.source,
            )
            for name, row in THRESHOLDS.items()
            for variant in (name.partition(":")[2],)
        ],
    )


def _larger_is_better(row: Threshold) -> bool:
    return row.fails.at() < row.passes.at()


def _limit(row: Threshold, limit: Limit, sign: str) -> str:
    return f"{sign} {_amount(limit, row.unit)}"


def _amount(limit: Limit, unit: str) -> str:
    absolute = f"{limit.absolute:g} {unit}"
    if not limit.relative:
        return absolute
    choice = "min" if isinstance(limit, Cap) else "max"
    return f"{choice}({absolute}, {100 * limit.relative:g} %)"


def allowances_table() -> str:
    """How far the labels may be from the truth."""
    return table(
        ("check", "labels may lie below the truth by", "above it by"),
        [
            (f"`{name}`", *(_amount(limit, THRESHOLDS[name].unit) for limit in limits))
            for name, limits in LABEL_ALLOWANCE.items()
        ],
    )


def profiles_table() -> str:
    """Every profile: what for, how high, what it asks of a barrier, and what counts."""
    rows = []
    for name, profile in PROFILES.items():
        barrier = profile.row("compression.barrier")
        limits = f"≥ {barrier.passes.absolute:g} eV, < {barrier.fails.absolute:g} eV fails"
        cap = f"{profile.cap:g} eV"
        if name == "radiation":
            limits, cap = "≥ `--t-max`, less fails", "`--t-max`"
        rows.append((f"`{name}`", profile.purpose, cap, limits, ", ".join(profile.groups)))
    return table(("profile", "for", "walls up to", "barrier", "groups that count"), rows)


def statuses_table() -> str:
    """Every status of a finding."""
    return table(
        ("status", "meaning"), [(f"`{status}`", meaning) for status, meaning in MEANING.items()]
    )


def suites_table() -> str:
    """Every suite and its dimers."""
    rows = [
        ("`quick`", str(len(QUICK)), ", ".join(QUICK)),
        ("`standard`", str(len(STANDARD)), ", ".join(STANDARD)),
        ("`homonuclear`", "n", "every element of the model with itself"),
        ("`all-pairs`", "n(n + 1)/2", "every pair of the model's n elements"),
    ]
    return table(("suite", "dimers", "which"), rows)


def grids_table() -> str:
    """Every grid, from its docstring."""
    rows = [(f"`{name}`", _doc(make).replace("\n", " ")) for name, make in GRIDS.items()]
    return table(("grid", "distances"), rows)


def errors_table() -> str:
    """Depth and position of every shipped minimum beside experiment without spin–orbit coupling."""
    curves = files("ase_probe.baselines") / "data" / "curves"
    shipped = {folder.name.replace("-", ":", 1) for folder in curves.iterdir()}
    computed = [tier for tier in TIERS if tier in shipped and tier != "exact"]
    rows = []
    for name in STANDARD:
        dimer = Dimer.parse(name)
        known = constants(dimer)
        found = {tier: bond(dimer, TIERS[tier]) for tier in computed}
        if known is None or all(isinstance(b, Unavailable) for b in found.values()):
            continue
        weak = known.D_e < 0.2
        flag = " (uncertain)" if known.uncertain else ""
        row = [f"{name}{flag}", _depth(known.D_e_without_spin_orbit, weak), f"{known.r_e:.4f}"]
        for tier in computed:
            made = found[tier]
            if isinstance(made, Unavailable):
                row += ["–", "–"]
            else:
                off = made.D_e - known.D_e_without_spin_orbit
                row += [f"{1000 * off:+.1f} meV" if weak else f"{off:+.3f}", _shift(made, known)]
        rows.append(row)
    heads = ["dimer", "D_e / eV", "r_e / Å"]
    for tier in computed:
        heads += [f"`{tier}` ΔD_e", "Δr_e"]
    return table(heads, rows)


def _depth(value: float, weak: bool) -> str:
    return f"{1000 * value:.2f} meV" if weak else f"{value:.3f}"


def _shift(made: Bond, known: Constants) -> str:
    return f"{made.r_e - known.r_e:+.4f}"


def tiers_table() -> str:
    """Every reference tier, from the docstring of its module; of stored ones their level."""
    rows = []
    for name, tier in TIERS.items():
        stored = name in TABULATED
        what = _STORED[name] if stored else _first(inspect.getmodule(tier)).partition(": ")[2]
        rows.append((f"`{name}`", what))
    return table(("tier", "what it is"), rows)


def command_line() -> str:
    """Return the help text of every command."""
    texts: dict[str, str] = {}

    def visit(line: str, command: click.Command, parent: click.Context | None) -> None:
        options = {"parent": parent, "resilient_parsing": True, "terminal_width": 86}
        context = command.make_context(line.rpartition(" ")[2], [], **options)
        texts[line] = command.get_help(context)
        for name, sub in getattr(command, "commands", {}).items():
            visit(f"{line} {name}", sub, context)

    visit("ase-probe", cli.main, None)
    return "\n".join(
        f"## `{line}`\n\n```text\n$ {line} --help\n{text}\n```\n" for line, text in texts.items()
    )


def pytest_table() -> str:
    """Every option of the pytest plugin."""
    rows = [
        (f"`--probe-{o.name.replace('_', '-')} {o.metavar}`".replace(" `", "`"), o.help)
        for o in OPTIONS
    ]
    return table(("option", "meaning"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "models": models_table,
    "families": families_table,
    "cards": cards,
    "checks": checks_table,
    "thresholds": thresholds_table,
    "allowances": allowances_table,
    "profiles": profiles_table,
    "statuses": statuses_table,
    "suites": suites_table,
    "grids": grids_table,
    "errors": errors_table,
    "tiers": tiers_table,
    "cli": command_line,
    "pytest": pytest_table,
}
"""File name without ``.md`` -> function that returns its text."""


def write(folder: Path) -> None:
    """Write every table into `folder`, touching only what has changed."""
    folder.mkdir(exist_ok=True)
    for name, make in TABLES.items():
        path, text = folder / f"{name}.md", make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
