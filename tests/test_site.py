"""The documentation: every block of code runs, shown results are those that come, the site builds without a warning."""

import doctest
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
QUICK = {"ideas.md", "stan.md", "howto/distribution.md", "howto/censored.md", "index.md", "howto/ode.md"}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    for kind, code in BLOCK.findall(page.read_text()):
        if not code.startswith("--8<--"):  # those are examples, which have tests of their own
            yield kind, code


def run(page, folder):
    names = {"__name__": page.stem}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    count = 0
    for kind, code in blocks(page):
        count += 1
        if kind == "python":
            exec(compile(code, str(page), "exec"), names)
        else:
            test = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), 0)
            runner.run(test, clear_globs=False)
            names = test.globs
    assert runner.summarize().failed == 0
    return count


@pytest.mark.filterwarnings("ignore::storax.errors.SamplingWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            p, marks=() if str(p.relative_to(DOCS)) in QUICK else pytest.mark.long, id=str(p.relative_to(DOCS))
        )
        for p in PAGES
    ],
)
def test_code_on_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, tmp_path)


def test_a_wrong_result_on_a_page_is_found(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```pycon\n>>> x + 1\n3\n\n```\n")
    with pytest.raises(AssertionError):
        run(page, tmp_path)


def test_every_page_is_in_the_menu_and_every_example_is_shown():
    menu = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES:
        assert str(page.relative_to(DOCS)) in menu, page
    text = "".join(p.read_text() for p in PAGES)
    for example in (ROOT / "examples").glob("*.py"):
        shown = f'"{example.name}"' in text or example.stem in ("eight_schools", "random_walk")
        assert shown, example
    for figure in re.findall(r"\]\((?:\.\./)?figures/(.*?)\)", text):
        assert (DOCS / "figures" / figure).stat().st_size > 0, figure


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the documentation tools are not installed: pip install 'storax[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "reference" / "index.html").read_text()
    assert "sx.prior_sensitivity" in page and "sx.HalfNormal" in page
