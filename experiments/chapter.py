"""What the experiments share: the code of a chapter, and the file that the chapter reads."""

import json


def defined_in(chapter):
    """{name: object}: what the cells of a notebook that are tagged "experiment" define."""
    names = {}
    for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]:
        if "experiment" in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), names)
    return names


def write(path, head, tables):
    """Write {name: value} and {name: rows} as JSON, one row to a line."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for name, rows in tables.items():
        inner = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
        lines.append(f" {json.dumps(name)}: [\n{inner}\n ]")
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
