"""The page of the documentation on what the papers leave open, contradict or do otherwise.

python -m affwildnet.experiments.fidelity_page > docs/fidelity.md
"""

from collections.abc import Iterator

from affwildnet.experiments import EXPERIMENTS, PAPERS, fidelity
from affwildnet.experiments.fidelity import Choice


def _choices() -> list[Choice]:
    return [value for value in vars(fidelity).values() if isinstance(value, Choice)]


def page() -> str:
    """Return all choices and all other notes as a page of the documentation, in Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Fidelity"
    yield ""
    yield "Where the papers leave something open, contradict each other or themselves, and where this project departs"
    yield "from them, the experiments' notes say so (`affwildnet experiments NAME`). This page has all of it in one"
    yield "place, written from the notes by `python -m affwildnet.experiments.fidelity_page`. In what a score differs"
    yield "from a published row stands beside it in every comparison ([A paper's table](guides/paper_table.md))."
    yield ""
    yield "## Choices that concern several experiments"
    yield ""
    yield "| topic | the papers | here | experiments |"
    yield "|---|---|---|---|"
    for choice in _choices():
        named = [name for name, experiment in EXPERIMENTS.items() if str(choice) in experiment.notes]
        yield f"| {choice.topic} | {choice.source} | {choice.here} | {_counted(named)} |"
    yield ""
    yield "## Notes of single experiments"
    for key, paper in PAPERS.items():
        own = {experiment.name: _own(experiment.notes) for experiment in paper.experiments}
        if any(own.values()):
            yield from ("", f"### {key}", "", "| experiments | note |", "|---|---|")
        for text in dict.fromkeys(text for text in own.values() if text):
            names = ", ".join(f"`{name.partition('/')[2]}`" for name, other in own.items() if other == text)
            yield f"| {names} | {text} |"


def _own(text: str) -> str:
    """Return the notes of an experiment without the choices."""
    for choice in _choices():
        text = text.replace(str(choice), "")
    return " ".join(text.split())


def _counted(names: list[str]) -> str:
    papers: dict[str, int] = {}
    for name in names:
        papers[name.partition("/")[0]] = papers.get(name.partition("/")[0], 0) + 1
    return ", ".join(f"{paper} ({count})" for paper, count in papers.items())


if __name__ == "__main__":
    print(page(), end="")
