"""What storax says when it refuses.

Every error is a `StoraxError`, and also the built-in that Python users would catch.  A message says, in this
order: which site (and the line of the user's program), what was expected, what came, and the call that fixes it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StoraxError(Exception):
    """Base of all errors of this library."""


class UnhandledSiteError(StoraxError, RuntimeError):
    """A random choice was reached, and no handler gave it a value."""


class ModelError(StoraxError, ValueError):
    """The program is not a model that can be interpreted: duplicate names, sites that change, ..."""


class InvalidNameError(StoraxError, ValueError):
    """A site's name is empty or reserved."""


class ArgumentTypeError(StoraxError, TypeError):
    """An argument is not of the kind that was asked for."""


class UnknownNameError(StoraxError, KeyError):
    """A name that the model does not have."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])


class ShapeError(StoraxError, ValueError):
    """A value's shape is not the shape of its site."""


class BatchIndexError(StoraxError, IndexError):
    """There is no such part of a batch of distributions."""


class ObservationError(StoraxError, ValueError):
    """An observed value that no draw could ever take: nan, or outside of the support."""


class ParameterError(StoraxError, ValueError):
    """A distribution was given a parameter outside of the parameter's range."""


class SettingsError(StoraxError, ValueError):
    """A sampler was asked for something that cannot be: no draws, no chains, ..."""


class ControlFlowError(StoraxError, TypeError):
    """A random choice in a place where it cannot be given this meaning (Python branches, `while_loop`, ...)."""


class NotMeasurable(StoraxError, ValueError):
    """A log density that cannot be derived."""


class InitializationError(StoraxError, ValueError):
    """No starting point with a finite log density and a finite gradient was found."""


class InferenceError(StoraxError, ValueError):
    """The model is not one that this algorithm can handle: no latent sites, discrete latents, ..."""


class CheckpointError(StoraxError, ValueError):
    """A folder of checkpoints that cannot be written to, or belongs to another run."""


class MissingExtraError(StoraxError, ImportError):
    """A library that storax does not need by itself is not installed."""


class StorageError(StoraxError, OSError):
    """A file could not be written or read, or does not hold what it should."""


class SamplingWarning(UserWarning):
    """A run ended, but its draws need a second look."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that suggests the known name closest to `name`, and lists what there is.

    >>> nearest("alhpa", ["alpha", "beta"])
    "Did you mean 'alpha'? The names are: 'alpha', 'beta'."
    """
    known = list(known)
    if not known:
        return "There are no named sites."
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    listing = ", ".join(map(repr, known[:20])) + (", ..." if len(known) > 20 else "")
    return f"{hint}The names are: {listing}."
