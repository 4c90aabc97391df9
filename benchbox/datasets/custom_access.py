"""What `data where` and `data verify` say of a card's own files, whichever reader takes them."""

from __future__ import annotations

from benchbox.types import Access, CustomFiles


def describe_custom_access(title: str, source: CustomFiles) -> Access:
    """Return where the files of a card lie, by its `source`.

    Terms and citation are its owner's to say.
    """
    listed = [f"{path}    part {part}" for part, path in source.parts.items()]
    listed.append(f"{source.images}/    pictures")
    return Access(
        title=f"the files of {title}",
        folder="",
        where="your own data: the card's source names the files, below the data root",
        terms="yours to say",
        citation="yours to say",
        layout="\n".join(listed),
    )
