"""In a checkout the adapters live beside this package; the wheel holds them here."""

from pathlib import Path

__path__ = [str(Path(__file__).parents[2] / "adapters")]
