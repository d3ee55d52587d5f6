"""`Model`: a function and the handlers around it; again a function, with the model's own arguments.

However many transformations are nested, the function is staged once and walked once: a transformation only adds its
handler to the list.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from storax.effects import Handler, Sites
from storax.errors import ArgumentTypeError, ControlFlowError, nearest
from storax.interpreting import Records, interpret
from storax.sources import plain_errors
from storax.staging import Staged, stage
from storax.surveying import beyond, survey, views
from storax.translating import in_words

F = TypeVar("F", bound=Callable[..., Any])


_TRANSFORMATIONS: list[str] = []  # the methods of `Model` that users know

_NO_PLAIN_FUNCTION = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)


class Model:
    """A model: call it as the function it was made of, or transform it with its methods.

    Every transformation is also a method: `m.seed(key)` is `sx.seed(m, key)`.

    >>> import storax as sx
    >>> @sx.model
    ... def coin():
    ...     return sx.sample("p", sx.Beta(2.0, 2.0))
    >>> round(float(coin.condition(p=0.5).log_density()({})), 4)
    0.4055
    """

    def __init__(self, function: Callable[..., Any], handlers: Sequence[Handler] = ()) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.handlers = tuple(handlers)

    @classmethod
    def of(cls, model: Any, call: str) -> Model:
        """The model itself, or a plain function as a model.

        Raises:
            ArgumentTypeError: not a function; often the model's result instead of the model.
        """
        if isinstance(model, Model):
            return model
        if not callable(model):
            raise ArgumentTypeError(
                f"{call} needs a model, a Python function, and got {type(model).__name__}. Pass the function itself, "
                f"{call}(model, ...)(*args), not what it returns."
            )
        if any(is_kind(model) for is_kind in _NO_PLAIN_FUNCTION):
            raise ArgumentTypeError(
                f"{call} needs a model, a plain Python function, and {getattr(model, '__name__', 'this')} is a "
                f"generator or an async function, which does not run when it is called. Use `return` in place of "
                f"`yield`, and `def` in place of `async def`."
            )
        return cls(model)

    def handled_by(self, handler: Handler) -> Model:
        """The model with one more handler around it."""
        return Model(self.function, (*self.handlers, handler))

    @plain_errors
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.handlers:
            return self.function(*args, **kwargs)
        staged = self.stage(*args, **kwargs)
        return self.run(staged, staged.arrays)

    def stage(self, *args: Any, **kwargs: Any) -> Staged:
        return stage(self.function, args, kwargs)

    def run(self, staged: Staged, arrays: Sequence[Any]) -> Any:
        """Interpret the staged program: what `__call__` does after staging."""
        output, records = self.walk(staged, arrays)
        for handler, noted in zip(self.handlers, records, strict=True):
            output = handler.finish(output, noted)
        return output

    def walk(self, staged: Staged, arrays: Sequence[Any]) -> tuple[Any, Records]:
        sites = views(self.handlers, survey(staged.closed))
        for handler, seen in zip(self.handlers, sites, strict=True):
            _check_loops(handler, seen)
        contexts = [h.context(seen) for h, seen in zip(self.handlers, sites, strict=True)]
        with in_words():  # an array of an earlier trace is found only now
            outputs, records = interpret(self.handlers, contexts, staged.closed, arrays)
        return staged.output(outputs), records

    def sites(self, staged: Staged) -> Sites:
        """All sites as they are outside of the handlers."""
        return beyond(self.handlers, survey(staged.closed))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # Only reached for what is not there: the methods are registered by `transformation`.
        raise AttributeError(f"a model has no method {name!r}. {nearest(name, _TRANSFORMATIONS)}")

    def __get__(self, instance: Any, owner: Any = None) -> Model:
        """As an attribute of a class: a method, like the function it was made of."""
        if instance is None or not isinstance(self.function, types.FunctionType):
            return self
        return Model(types.MethodType(self.function, instance), self.handlers)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        for handler in self.handlers:
            name = f"{type(handler).__name__.lower()}({name})"
        return f"<model {name}>"


def _check_loops(handler: Handler, sites: Sites) -> None:
    uncounted = [i.site.label for i in sites.values() if i.uncounted]
    if uncounted and not handler.in_while:
        raise ControlFlowError(
            f"{', '.join(uncounted)}: sampled in a lax.while_loop, where the number of draws is known only when the "
            f"program runs, so they have no shape to record and no joint density "
            f"({type(handler).__name__.lower()} needs one). Use lax.scan or lax.fori_loop with static bounds, and "
            f"jnp.where for the steps that do not count. sx.seed alone works."
        )


def model(f: Callable[..., Any]) -> Model:
    """Decorate a model to give it the transformations as methods.  A plain function is a model already.

    >>> import storax as sx
    >>> @sx.model
    ... def coin():
    ...     return sx.sample("p", sx.Beta(2.0, 2.0))
    >>> bool(coin.seed(0)() == sx.seed(coin, 0)())
    True
    """
    return Model.of(f, "sx.model")


def transformation(f: F) -> F:
    """Decorate a public function whose first argument is a model: it becomes a method of `Model` too."""
    public = plain_errors(f)
    setattr(Model, f.__name__, public)
    _TRANSFORMATIONS.append(f.__name__)
    return public  # type: ignore[return-value]
