"""What the audit was made with, and how to make it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from ase_probe.curve import Audit
from ase_probe.report import digest
from ase_probe.report.numbers import MISSING
from ase_probe.report.page.markup import esc

__all__ = ["environment"]


def _flat(data: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(data, (list, tuple)) and not any(isinstance(d, (Mapping, list)) for d in data):
        yield prefix, ", ".join(map(str, data)) if data else MISSING
    else:
        yield prefix, str(data)


def _table(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<div><dt>{esc(key)}</dt><dd>{esc(value)}</dd></div>" for key, value in pairs)


def environment(audit: Audit, label: str) -> str:
    """Return the command, versions and hashes, and the card of one model."""
    card = {
        name: getattr(audit.card, name)
        for name in audit.card.__dataclass_fields__
        if getattr(audit.card, name) not in (None, "", ())
    }
    command = digest.command(audit)
    reproduce = (
        f'<div class="command"><pre tabindex="0"><code>{escape(command)}</code></pre>'
        '<button type="button" class="copy">Copy</button></div>'
        if command
        else '<p class="muted">This audit does not say which command made it.</p>'
    )
    found = {key: value for key, value in audit.environment.items() if key != "command"}
    return (
        f"<h3>{esc(label)}</h3>{reproduce}"
        f"<details open><summary>Environment and hashes</summary><dl>{_table(_flat(found))}"
        f"</dl></details><details><summary>Model card</summary><dl>{_table(_flat(card))}</dl>"
        "</details>"
    )
