"""File formats as SerialEM writes them: autodoc text, mdoc, MRC stacks, Navigator files."""
