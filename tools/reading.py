"""A notebook as the rules of a chapter read it: its cells, its prose, the directives in it."""

import re

DIRECTIVE = re.compile(
    r"^[ \t]*(`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ \t]*(?P<argument>[^\n]*)\n"  # ```{name} argument
    r"(?P<body>.*?)^[ \t]*\1[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def code_cells(nb: dict) -> list[dict]:
    return [cell for cell in nb["cells"] if cell["cell_type"] == "code"]


def prose_cells(nb: dict) -> list[dict]:
    return [cell for cell in nb["cells"] if cell["cell_type"] == "markdown"]


def prose(nb: dict) -> str:
    return "\n\n".join(cell["source"] for cell in prose_cells(nb))


def directives(text: str, name: str) -> list[dict]:
    """The directives of that name: their argument, their ``:key: value`` options and their body."""
    found = []
    for match in DIRECTIVE.finditer(text):
        if match["name"] == name:
            options = dict(re.findall(r"^[ \t]*:([\w-]+):[ \t]*(.*?)[ \t]*$", match["body"], re.M))
            argument = match["argument"].strip()
            found.append({"argument": argument, "options": options, "body": match["body"]})
    return found
