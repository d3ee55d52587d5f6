"""What JAX, NumPy and Python say when a traced array is used as a number, in words of ours."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import jax

from storax.errors import ArgumentTypeError, ControlFlowError, StoraxError
from storax.sources import last_user_line, reached, user_line

_NEEDS_A_NUMBER = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)

# Errors without a class of their own, by what they say of a tracer.
_SAYS_SO = re.compile(r"(convert|format|[Ss]hapes must be 1D).*Trace[rd]", re.DOTALL)
_LANES_WITHOUT_AXIS = re.compile(r"vmap.*out_axes.*None but output was batched", re.DOTALL)
_COLUMN = re.compile(r"string indexing|Tracer.* has no attribute|ShapedArray.* has no attribute")


@contextlib.contextmanager
def in_words(tables: bool = False) -> Iterator[None]:
    """While a user's function is traced: what came of using a traced array as a number is said in our words.

    `tables`: were pandas objects among the arguments?
    """
    try:
        yield
    except StoraxError:
        raise
    except Exception as error:
        told = _told(error, tables)
        if told is None:
            raise
        raise told.with_traceback(error.__traceback__) from None


def _told(error: Exception, tables: bool) -> StoraxError | None:
    line, text = last_user_line(error.__traceback__) or user_line(), str(error)
    if isinstance(error, jax.errors.UnexpectedTracerError):
        return _leaked(line)
    if isinstance(error, _NEEDS_A_NUMBER) or _is_about_a_tracer(error, text):
        return _needs_a_number(line)
    if isinstance(error, ValueError) and reached.get() and _LANES_WITHOUT_AXIS.search(text):
        return _differentiated(line)
    if tables and isinstance(error, (TypeError, AttributeError)) and _COLUMN.search(text):
        return ArgumentTypeError(
            f"A DataFrame that is given to a model becomes one array of all its columns, and has no column names at "
            f"{line}. Pass its columns by name, model({{'y': df['y'], ...}}), or one by one."
        )
    return None


def _is_about_a_tracer(error: BaseException | None, text: str) -> bool:
    """`x[0] = draw` of a NumPy array is a ValueError that came of a tracer's."""
    if not isinstance(error, (ValueError, TypeError)):
        return False
    return bool(_SAYS_SO.search(text)) or isinstance(error.__cause__ or error.__context__, _NEEDS_A_NUMBER)


def _drawn() -> str:
    draws = reached.get()
    return f"The sites drawn before it: {', '.join(draws)}. " if draws else ""


def _needs_a_number(line: str) -> StoraxError:
    return ControlFlowError(
        f"Python needed the number behind a traced array at {line} (an `if`, `while`, int(), float(), a format, a "
        f"boolean index, a shape, or a NumPy call or array). {_drawn()}A draw, and an array given to the model, has "
        f"no value while the model is traced. Choose with jnp.where, jax.lax.cond or a mixture, compute with jnp "
        f"instead of np (x.at[0].set(draw) instead of x[0] = draw), and pass numbers that decide the model's "
        f"structure as Python ints."
    )


def _leaked(line: str) -> StoraxError:
    return ControlFlowError(
        f"An array of an earlier trace was used at {line}: a draw that was kept in a global, an attribute or a list "
        f"has no value outside of the call of the model that drew it. {_drawn()}Return what you need from the model, "
        f"and pass it in as an argument."
    )


def _differentiated(line: str) -> StoraxError:
    return ControlFlowError(
        f"A site is inside of a function that is differentiated with jax.jacfwd or jax.hessian, or mapped with "
        f"out_axes=None, at {line}: each direction would be a draw of its own. {_drawn()}Move the site out of the "
        f"differentiated function, and pass its value in."
    )
