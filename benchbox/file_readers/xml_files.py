"""XML of strangers: parsed by defusedxml, without entities and without a document type."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from benchbox.errors import BenchboxError, DataError

from . import bounds
from .regular_files import library_faults, read_bytes


def parse_xml(
    path: Path, *, largest: int = bounds.LARGEST_XML, fault: type[BenchboxError] = DataError
) -> Any:
    """Return the root element of a file.

    Raises `fault` when the file is absent, no XML, larger or deeper than the bounds, or declares a
    document type or entities.
    """
    import defusedxml.ElementTree
    from defusedxml.common import DefusedXmlException

    content = read_bytes(path, largest, fault)
    depth, nodes, root = 0, 0, None
    with library_faults(path, "XML file", fault):
        try:
            events = defusedxml.ElementTree.iterparse(
                io.BytesIO(content), events=("start", "end"), forbid_dtd=True
            )
            for event, element in events:
                if event == "end":
                    depth -= 1
                    continue
                root = element if root is None else root
                depth += 1
                nodes += 1 + len(element.attrib)
                if depth > bounds.DEEPEST_NESTING:
                    raise ValueError(f"elements more than {bounds.DEEPEST_NESTING} deep")
                if nodes > bounds.MOST_XML_NODES:
                    raise ValueError(f"more than {bounds.MOST_XML_NODES} elements and attributes")
        except DefusedXmlException as error:
            raise fault(
                f"{path}: declares a document type or entities, which is refused"
            ) from error
    return root
