"""The XML form of a Navigator file, which SerialEM can write in place of the autodoc form.

The root is ``<navigator>``. ``<PreData>`` holds the header keys, every other child is one section: its tag is the
kind, its ``name`` the name, and each of its children one key with its value as text.
"""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from mock_serialem.files.autodoc import Autodoc, Section

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


def looks_like_xml(text: str) -> bool:
    """Tell whether a text is in the XML form."""
    return text.lstrip("\ufeff \r\n\t").startswith("<?xml")


def parse_xml(text: str) -> Autodoc:
    """Read the text of a file in XML form.

    Raises
    ------
    ValueError
        It is not well formed, or not a Navigator file.
    """
    try:
        root = ElementTree.fromstring(text.lstrip("\ufeff \r\n\t").encode("utf-8", "replace"))
    except ElementTree.ParseError as err:
        raise ValueError(f"it is not well-formed XML: {err}") from err
    if root.tag != "navigator":
        raise ValueError(f"its root is <{root.tag}>, not <navigator>")
    autodoc = Autodoc()
    for child in root:
        entries = {key.tag: key.text or "" for key in child}
        if child.tag == "PreData":
            autodoc.entries.update(entries)
        else:
            autodoc.sections.append(Section(child.tag, child.get("name", ""), entries))
    return autodoc


def xml_text(autodoc: Autodoc, line_end: str) -> str:
    """Text of a file in XML form."""
    lines = [_DECLARATION, "<navigator>", "  <PreData>", *_keys(autodoc.entries), "  </PreData>"]
    for section in autodoc.sections:
        lines.append(f"  <{section.kind} name={quoteattr(section.name)}>")
        lines.extend(_keys(section.entries))
        lines.append(f"  </{section.kind}>")
    lines.append("</navigator>")
    return "".join(line + line_end for line in lines)


def _keys(entries: dict[str, str]) -> list[str]:
    return [f"    <{key}>{escape(value)}</{key}>" for key, value in entries.items()]
