"""What the documentation names is there: links, files, rooms, commands. `make docs` checks the site's own links."""

import ast
import re
import runpy
import subprocess
import sys

import pytest

from affwildnet.commands.dispatcher import NETWORKS, main
from tests.helpers.paths import ROOT
from tests.test_layers import LAYERS
from tfrecords_tools.cli import COMMANDS
from tfrecords_tools.version import VERSION

PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
ROOMS = sorted(
    folder.relative_to(ROOT).as_posix()
    for package in ("affwildnet", "tfrecords_tools")
    for folder in (ROOT / package).glob("**/")
    if (folder / "__init__.py").exists() and folder.parent != ROOT
)


def dead_links(text, folder):
    """Targets of relative links, and of their anchors, that are not there."""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not target.startswith("http") and not leads_somewhere(target, text, folder)]


def leads_somewhere(target, text, folder):
    path, _, anchor = target.partition("#")
    if path:
        page = (folder / path).resolve()
        if not page.exists():
            return False
        text = page.read_text("utf-8") if anchor else ""
    return not anchor or anchor in anchors(text)


def anchors(text):
    """The anchors of a page's headings, as the site and code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def lacking(text):
    """Paths in backticks and modules after `python -m` that are not in the repository."""
    paths = re.findall(r"`((?:affwildnet|tfrecords_tools|tests|benchmarks|notebooks|docs)/[\w/.]*)`", text)
    modules = re.findall(r"python -m ((?:affwildnet|tfrecords_tools|tests|benchmarks)[\w.]*)", text)
    candidates = {module: ROOT / module.replace(".", "/") for module in modules}
    return [path for path in paths if not (ROOT / path).exists()] + [
        module
        for module, path in candidates.items()
        if not path.with_suffix(".py").exists() and not (path / "__main__.py").exists()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_names_is_there(page):
    text = page.read_text("utf-8")
    assert dead_links(text, page.parent) == []
    assert lacking(text) == []


def test_what_is_not_there_is_found():
    assert dead_links("[a](nowhere.md) [b](README.md) [c](README.md#nothing) [d](https://x.y) [e](#no)", ROOT) == [
        "nowhere.md",
        "README.md#nothing",
        "#no",
    ]
    assert dead_links("# Two words\n[a](#two-words)", ROOT) == []
    assert lacking(
        "`affwildnet/nothing` `affwildnet/models` `python -m affwildnet.nothing` python -m tfrecords_tools"
    ) == [
        "affwildnet/nothing",
        "affwildnet.nothing",
    ]


def docstrings():
    """(place, text) of all docstrings."""
    for package in ("affwildnet", "tfrecords_tools"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                    yield f"{path.relative_to(ROOT)}: {getattr(node, 'name', '')}", text


def test_code_to_type_stands_under_example_which_the_site_shows_as_code():
    assert [place for place, text in docstrings() if ">>>" in text.split("\nExample:\n")[0]] == []
    griffe = pytest.importorskip("griffe")
    made = griffe.Function("f", docstring=griffe.Docstring("Add.\n\nExample:\n    >>> 1 + 1\n    2"))
    runpy.run_path(str(ROOT / "docs" / "docstring_names.py"))["DocstringNames"]().on_object(obj=made)
    assert made.docstring.parse("google")[-1].kind is griffe.DocstringSectionKind.examples


def test_make_docs_fails_on_a_dead_link(tmp_path):
    pytest.importorskip("mkdocs")
    (line,) = re.findall(r"-m (mkdocs build .+)", (ROOT / "Makefile").read_text("utf-8"))
    (tmp_path / "mkdocs.yml").write_text("site_name: A\ntheme: null\nplugins: []\n")
    (tmp_path / "docs").mkdir()
    for text, status in (("# A", 0), ("# A\n\n[b](nowhere.md)", 1)):
        (tmp_path / "docs" / "index.md").write_text(text)
        built = subprocess.run([sys.executable, "-m", *line.split()], cwd=tmp_path, capture_output=True, text=True)
        assert built.returncode == status, built.stderr


def test_the_architecture_names_every_room():
    named = re.findall(r"^\|[^|]*\| `([\w/]+)` \|", ARCHITECTURE.read_text("utf-8"), re.MULTILINE)
    assert len(ROOMS) > 15
    assert sorted(named) == ROOMS


def test_the_architecture_has_the_layers_in_their_order():
    text = ARCHITECTURE.read_text("utf-8").split("## Layers", 1)[1].split("## ", 1)[0]
    items = re.findall(r"^\d+\. (.+)$", text, re.MULTILINE)
    assert len(items) == len(LAYERS)
    for item, names in zip(items, LAYERS, strict=True):
        named = set(re.findall(r"\w+", item)) - {"tfrecords_tools", "affwildnet", "py", "and", "__main__"}
        assert named == {name.split(".")[-1] for name in names if not name.endswith(".__main__")}


def called(text):
    """(command, its flags) of each line in a code block that calls one of ours."""
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) for line in joined(block)]
    forms = r"(?:python (?:-m )?|^)(?:affwildnet[. ](\w+)|tfrecords_tools (\w+)|(train|evaluate)\.py)\b([^#;]*)"
    calls = [found for line in lines for found in re.findall(forms, line)]
    return [(network or corpus or script, re.findall(r"(?<!\S)--\w+", rest)) for network, corpus, script, rest in calls]


def joined(block):
    return block.replace("\\\n", " ").splitlines()


@pytest.fixture(scope="module")
def flags():
    """The flags of commands that were asked for, by command."""
    return {}


def flags_of(command, known, capsys):
    """The flags of a command, from its help."""
    if command not in known:
        # Of the commands of `weights`, `import` has all flags.
        with pytest.raises(SystemExit):
            main([command, *(["import"] if command == "weights" else []), "--help"])
        known[command] = set(re.findall(r"--\w+", capsys.readouterr().out))
    return known[command]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_flags_of_its_commands_are_there(page, flags, capsys):
    for command, given in called(page.read_text("utf-8")):
        assert command in {*NETWORKS, *COMMANDS}
        assert set(given) <= flags_of(command, flags, capsys), command


def test_commands_are_found():
    text = "```sh\npython train.py --a=1 \\\n  --b  # --c\nmake demo\npython -m tfrecords_tools pack --d\n```\n"
    assert called(text) == [("train", ["--a", "--b"]), ("pack", ["--d"])]
    assert sum(len(called(page.read_text("utf-8"))) for page in PAGES) > 40


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[1] == VERSION
