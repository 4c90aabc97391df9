"""Markdown as HTML, by markdown-it-py: READMEs, guides, notes of cards, docstrings of metrics.

HTML inside the text is printed as text. What a page of the site may not hold goes between parsing
and printing: a picture becomes its caption, a link stays only where it leads to the web or to
another page of the site, and no cell carries a style of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_NO_PAGES: Mapping[str, str] = MappingProxyType({})
_DEEPEST_HEADING = 6


class _Parser(MarkdownIt):
    """CommonMark with tables, without HTML."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})
        self.enable("table")

    def validateLink(self, url: str) -> bool:  # noqa: N802 - as the library has it
        """Parse every link: `_keep_safe_links` judges it, so that a refused one leaves its text."""
        return True


_PARSER = _Parser()


def render_markdown(text: str, *, level: int = 3, pages: Mapping[str, str] = _NO_PAGES) -> Markup:
    """Render text; its first-level headings become `<h{level}>`.

    `pages` are the relative links that may be followed, and the page of the site each leads to.

    >>> print(render_markdown("# One *more*"))
    <h3>One <em>more</em></h3>
    >>> print(render_markdown("[a](https://example.org), [b](javascript:alert)"))
    <p><a href="https://example.org">a</a>, b</p>
    """
    tokens = _PARSER.parse(text)
    return _print_tokens(list(_adapt_tokens(tokens, level, pages)))


def render_inline(text: str) -> Markup:
    """Render one run of text: code, emphasis and links to the web."""
    tokens = _PARSER.parseInline(text)
    return _print_tokens(list(_adapt_tokens(tokens, 1, _NO_PAGES)))


def _print_tokens(tokens: Sequence[Token]) -> Markup:
    # the library escapes all text, and HTML is off
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {}).strip("\n"))


def _adapt_tokens(tokens: Sequence[Token], level: int, pages: Mapping[str, str]) -> Iterator[Token]:
    """Turn the parser's tokens into those of a page."""
    for position, token in enumerate(tokens):
        if token.type in ("fence", "code_block"):
            code = token.content.rstrip("\n")
            yield _html_token(Markup('<pre tabindex="0"><code>{}</code></pre>\n').format(code))
        elif token.type == "table_open":
            yield _html_token(_table_opening(tokens[position:]))
        elif token.type == "table_close":
            yield _html_token(Markup("</table></div>\n"))
        else:
            _adapt_token(token, level, pages)
            yield token


def _html_token(html: Markup) -> Token:
    return Token("html_block", "", 0, content=str(html))


def _table_opening(tokens: Sequence[Token]) -> Markup:
    """Begin a table that scrolls by itself and is named by its columns."""
    columns = []
    for token in tokens:
        if token.type == "thead_close":
            break
        if token.type == "inline" and token.content:
            columns.append(token.content)
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="table">'
        '<table><caption class="hidden">{}</caption>\n'
    ).format(", ".join(columns))


def _adapt_token(token: Token, level: int, pages: Mapping[str, str]) -> None:
    if token.type in ("heading_open", "heading_close"):
        rank = level - 1 + int(token.tag.removeprefix("h"))
        token.tag = f"h{min(rank, _DEEPEST_HEADING)}"
    elif token.type == "th_open":
        token.attrs = {"scope": "col"}
    elif token.type == "td_open":
        token.attrs = {}
    elif token.type == "inline":
        token.children = _keep_safe_links(token.children or [], pages)


def _keep_safe_links(tokens: Sequence[Token], pages: Mapping[str, str]) -> list[Token]:
    """Return the tokens of a run of text without pictures and without links that lead astray."""
    kept: list[Token] = []
    followed = False
    for token in tokens:
        if token.type == "link_open":
            target = _link_target(str(token.attrs["href"]), pages)
            followed = target != ""
            token.attrs = {"href": target}
        if token.type == "image":
            kept.append(Token("text", "", 0, content=token.content))
        elif followed or token.type not in ("link_open", "link_close"):
            kept.append(token)
    return kept


def _link_target(url: str, pages: Mapping[str, str]) -> str:
    """Return where a link may lead, "" where it may not be followed."""
    if url.startswith(("https://", "http://")):
        return url
    return pages.get(url, "")
