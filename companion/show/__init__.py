"""Pictures for readers: matplotlib figures, SVG graphs, tables in text. One file per subject."""
