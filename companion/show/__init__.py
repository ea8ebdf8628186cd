"""Pictures for readers: matplotlib figures, SVG graphs, tables in text. One file per subject."""

from companion._project import require

require(__name__, "show", "matplotlib")
