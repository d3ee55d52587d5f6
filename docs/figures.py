"""Makes the figures of these pages: every example, with its figure.  Run: python docs/figures.py [name ...]"""

import importlib
import pathlib
import sys
import warnings

import matplotlib

matplotlib.use("agg")
ROOT = pathlib.Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures"


def main(names):
    import storax as sx

    sys.path.insert(0, str(ROOT / "examples"))
    school = importlib.import_module("eight_schools")
    graph = sx.show(school.eight_schools)(school.sigma, school.y).to_svg()
    (FIGURES / "eight_schools_graph.svg").write_text(graph)
    for name in names or sorted(p.stem for p in (ROOT / "examples").glob("*.py")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            importlib.import_module(name).main(figure=FIGURES / f"{name}.png")
        matplotlib.pyplot.close("all")


if __name__ == "__main__":
    matplotlib.rcParams["savefig.dpi"] = 70
    main(sys.argv[1:])
