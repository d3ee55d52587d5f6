"""Libraries that storax can do without: imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from storax.errors import MissingExtraError


def extra(module: str, name: str, what: str) -> Any:
    """An optional library, imported where it is used.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs {module.split('.')[0]}, which cannot be imported ({error}). Install it: "
            f"pip install 'storax[{name}]'."
        ) from None
