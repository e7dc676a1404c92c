"""Every error that ase-probe raises on purpose, on one page.

Each message says what was given, what is allowed and what to do next. The command line turns any
`AseProbeError` into one paragraph and exit code 2.
"""

from __future__ import annotations

__all__ = [
    "AseProbeError",
    "AuditFileError",
    "DeviceError",
    "DimerError",
    "EvaluationError",
    "InputError",
    "ModelError",
    "ModelLoadError",
    "ModelNotInstalledError",
    "UnknownModelError",
    "UnsupportedElementError",
    "UnsupportedOptionError",
    "UntrustedCheckpointError",
    "WorkerError",
]


class AseProbeError(Exception):
    """Root of the tree: catch this to catch them all."""


class InputError(AseProbeError, ValueError):
    """The caller asked for something that cannot be (a grid, a suite, a check, an option)."""


class DimerError(InputError):
    """Not a dimer: malformed name, unknown element or impossible multiplicity."""


class AuditFileError(InputError):
    """A file that should hold an audit is unreadable, truncated or of another version."""


class ModelError(AseProbeError):
    """The model cannot be had or cannot do what was asked."""


class UnknownModelError(ModelError, InputError):
    """No registered model has this name."""


class ModelNotInstalledError(ModelError, ImportError):
    """The model is known, but its vendor package is not installed here."""


class ModelLoadError(ModelError, RuntimeError):
    """The vendor's loader or the user's factory failed; the cause is chained."""


class UntrustedCheckpointError(ModelError):
    """Loading this checkpoint would run whatever code it holds, and nobody vouched for it."""


class DeviceError(ModelError, RuntimeError):
    """The device asked for is not there."""


class UnsupportedOptionError(ModelError, ValueError):
    """An option this model cannot honour (charge, spin, dtype, task, device)."""


class UnsupportedElementError(ModelError, ValueError):
    """The structure holds an element the model was not made for."""


class EvaluationError(ModelError, RuntimeError):
    """A single-point evaluation gave something unusable (NaN, infinity, a wrong shape)."""


class WorkerError(ModelError, RuntimeError):
    """An isolated model's process died, hung or could not start, or lacks its environment."""
