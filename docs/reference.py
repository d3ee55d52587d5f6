"""A hook of MkDocs: the reference, written from the docstrings of all public names."""

from __future__ import annotations

import inspect
import re
from typing import Any

SECTIONS = ("Args", "Returns", "Raises", "Warns", "Attributes")


def on_files(files: Any, config: Any) -> Any:
    from mkdocs.structure.files import File

    files.append(File.generated(config, "reference.md", content=reference()))
    return files


def reference() -> str:
    """Every name of `storax`, distributions in a table of their own."""
    import storax as sx

    names = [n for n in sx.__all__ if not inspect.ismodule(getattr(sx, n))]
    parts = ["# Reference", "Every public name; `import storax as sx`.", "## Functions and classes"]
    parts += [entry(n, getattr(sx, n)) for n in sorted(set(names) - set(sx.distributions.__all__), key=str.lower)]
    parts += ["## Distributions"]
    parts += [entry(n, getattr(sx, n)) for n in sorted(set(names) & set(sx.distributions.__all__), key=str.lower)]
    return "\n\n".join(parts) + "\n"


def entry(name: str, thing: Any) -> str:
    parts = [f"### sx.{name}", f"```python\n{name}{signature(thing)}\n```", text_of(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing):
        own = [
            (n, m)
            for n, m in vars(thing).items()
            if not n.startswith("_") and callable(getattr(thing, n)) and m.__doc__
        ]
        parts += [f"**`.{n}{signature(m)}`** {first_line(m)}" for n, m in own if inspect.isfunction(m)]
    return "\n\n".join(parts)


def signature(thing: Any) -> str:
    try:
        text = str(inspect.signature(thing))
    except (TypeError, ValueError):
        return "(...)"
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def text_of(doc: str) -> str:
    """A docstring in Google's style as Markdown."""
    out: list[str] = []
    for block in doc.split("\n\n"):
        head, _, rest = block.partition("\n")
        if block.startswith(">>> "):
            out.append(f"```pycon\n{block}\n```")
        elif head.rstrip(":") in SECTIONS and head.endswith(":"):
            out.append(f"**{head.rstrip(':')}**\n\n{items(inspect.cleandoc(rest))}")
        else:
            out.append(escaped(block))
    return "\n\n".join(out)


def items(text: str) -> str:
    """`name: what it is` as a list; further lines are indented."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") or not lines:
            lines.append(line) if not lines else lines.__setitem__(-1, f"{lines[-1]} {line.strip()}")
        else:
            lines.append(line)
    return "\n".join("- " + re.sub(r"^([\w*, ./`]+?):", r"`\1`:", escaped(x)).replace("``", "`") for x in lines)


def escaped(text: str) -> str:
    """Outside of backquotes, stars, underscores and angle brackets mean themselves."""
    parts = text.split("`")
    return "`".join(re.sub(r"([*_<>\[\]])", r"\\\1", p) if i % 2 == 0 else p for i, p in enumerate(parts))
