"""What the site shows that stands elsewhere: the notebook, the fields of an experiment, the fields of a record."""

import ast
import json
import re
import textwrap
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
NOTEBOOK = "notebooks/quickstart.ipynb"
CONFIG = ROOT / "affwildnet" / "experiments" / "config.py"
SCHEMA = ROOT / "tfrecords_tools" / "records" / "schema.py"
SECTIONS = {"model": "ModelConfig", "training": "TrainingConfig", "evaluation": "EvaluationConfig", "": "Experiment"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the notebook beside the pages, to download."""
    files.append(File.generated(config, NOTEBOOK, abs_src_path=str(ROOT / NOTEBOOK)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what the comments in the pages ask for."""
    for comment, make in {"notebook": notebook, "fields": fields, "record": record}.items():
        if f"<!-- {comment} -->" in markdown:
            markdown = markdown.replace(f"<!-- {comment} -->", make())
    return markdown.replace(f"../../{NOTEBOOK}", f"../{NOTEBOOK}")


def notebook() -> str:
    """Return the cells of the notebook as Markdown, without its title."""
    parts = []
    for cell in json.loads((ROOT / NOTEBOOK).read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    return re.sub(r"\A# .*\n", "", "\n\n".join(parts))


def fields() -> str:
    """Return a table of the fields for each part of an experiment, with defaults and docstrings."""
    classes = {node.name: node for node in ast.parse(CONFIG.read_text("utf-8")).body if isinstance(node, ast.ClassDef)}
    parts = []
    for section, name in SECTIONS.items():
        docs, rows = _documented(ast.get_docstring(classes[name])), []
        for node in classes[name].body:
            if isinstance(node, ast.AnnAssign) and node.target.id not in SECTIONS:
                field = f"{section}.{node.target.id}".strip(".")
                default = f"`{ast.unparse(node.value)}`" if node.value else ""
                rows.append(f"| `{field}` | {default} | {docs.get(node.target.id, '')} |")
        table = "\n".join(["| field | default | what |", "|---|---|---|", *rows])
        parts.append(f"## {section or 'The experiment itself'}\n\n{table}")
    return "\n\n".join(parts)


def record() -> str:
    """Return a table of the fields that every record has."""
    rows = []
    for node in ast.parse(SCHEMA.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "FIELDS":
            for name, field in zip(node.value.keys, node.value.values, strict=True):
                dtype, shape, text = (ast.unparse(argument) for argument in field.args)
                shape = shape.replace("LANDMARKS", "68")
                rows.append(f"| `{name.value}` | {ast.literal_eval(dtype)} | {shape} | {ast.literal_eval(text)} |")
    return "\n".join(["| field | type | shape | what |", "|---|---|---|---|", *rows])


def _documented(docstring: str) -> dict[str, str]:
    """The text of each name under `Attributes:`."""
    body = textwrap.dedent(docstring.split("Attributes:\n", 1)[1])
    entries = re.split(r"^(?=\w[\w, ]*: )", body, flags=re.MULTILINE)
    found = {}
    for entry in filter(str.strip, entries):
        names, text = entry.split(":", 1)
        for name in names.split(","):
            found[name.strip()] = " ".join(text.split()).replace("|", "\\|")
    return found
