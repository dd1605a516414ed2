"""What the site shows that stands elsewhere: the notebook, the fields of a record."""

import ast
import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
NOTEBOOK = "notebooks/quickstart.ipynb"
SCHEMA = ROOT / "tfrecords_tools" / "records" / "schema.py"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put the notebook beside the pages, to download."""
    files.append(File.generated(config, NOTEBOOK, abs_src_path=str(ROOT / NOTEBOOK)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what the comments in the pages ask for."""
    for comment, make in {"notebook": notebook, "record": record}.items():
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
