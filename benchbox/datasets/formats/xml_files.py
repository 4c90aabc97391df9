"""XML of strangers: parsed by defusedxml, without entities and without a document type."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from benchbox.errors import DataError

from .marked_face import read_bytes


def parse_xml(path: Path) -> Any:
    """Return the root element of a file.

    Raises
    ------
    DataError
        The file is absent, too large or no XML, or declares a document type or entities.
    """
    raw = read_bytes(path)
    try:
        return defusedxml.ElementTree.fromstring(raw, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError(
            f"{path}: declares a document type or entities, which is refused"
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: is not an XML file ({error})") from error
