"""A README as HTML: what is marked up, and that nothing else gets through."""

from html.parser import HTMLParser

import pytest

from benchbox.report.pages.markdown import render_inline, render_markdown

TABLE = ("div", "table", "caption", "thead", "tbody", "tr", "th", "td")


class Tags(HTMLParser):
    """The tags of a text, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# One\n## Two", "<h3>One</h3>\n<h4>Two</h4>"),
        ("###### Six", "<h6>Six</h6>"),
        ("a\nb\n\nc", "<p>a\nb</p>\n<p>c</p>"),
        ("- a\n  more\n- b", "<ul>\n<li>a\nmore</li>\n<li>b</li>\n</ul>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("Text:\n- a", "<p>Text:</p>\n<ul>\n<li>a</li>\n</ul>"),
        (
            "```sh\na < b\n\nc\n```\nd",
            '<pre tabindex="0"><code>a &lt; b\n\nc</code></pre>\n<p>d</p>',
        ),
        (
            "Run\n\n    benchbox run\n    benchbox report",
            '<p>Run</p>\n<pre tabindex="0"><code>benchbox run\nbenchbox report</code></pre>',
        ),
        (
            "**bold** and *light* and a\\*b",
            "<p><strong>bold</strong> and <em>light</em> and a*b</p>",
        ),
        ("`**x**`", "<p><code>**x**</code></p>"),
        ("[a](https://example.org/x_y)", '<p><a href="https://example.org/x_y">a</a></p>'),
        ("[a](http://example.org)", '<p><a href="http://example.org">a</a></p>'),
        ("[a](docs/b.md)", "<p>a</p>"),
        ("[a](//example.org)", "<p>a</p>"),
        ("![picture](face.png)", "<p>picture</p>"),
    ],
)
def test_marks(text, wanted):
    assert render_markdown(text) == wanted


def test_a_relative_link_leads_to_the_page_that_stands_for_it():
    made = render_markdown("as [tat](../tat/README.md)", pages={"../tat/README.md": "tat.html"})
    assert made == '<p>as <a href="tat.html">tat</a></p>'


def test_one_run_of_text():
    assert render_inline("`a` and *b* <i>") == "<code>a</code> and <em>b</em> &lt;i&gt;"


def test_a_table_scrolls_by_itself():
    text = render_markdown("| a | b |\n|---|--:|\n| `1` | 2 |")
    assert '<th scope="col">a</th>' in text
    assert '<caption class="hidden">a, b</caption>' in text
    assert "<td><code>1</code></td>\n<td>2</td>" in text
    assert text.startswith('<div class="scroll"')
    assert "style" not in text, "the policy of the pages forbids it"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "# <script>",
        "- <img src=x onerror=alert(1)>",
        "`<script>`",
        "```\n<script>\n```",
        "    <script>",
        "[a](javascript:alert(1))",
        "[a](JavaScript:alert(1))",
        "[a][b]\n\n[b]: javascript:alert(1)",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        '[a](https://x"onmouseover="alert(1))',
        '[a](https://example.org "\\"onmouseover=\\"alert(1)")',
        '![" onerror="alert(1)](x)',
        "| <script> |\n|---|\n| <script> |",
        "[<script>](https://example.org)",
    ],
)
def test_nothing_gets_through(text):
    made = render_markdown(text)
    assert "<script" not in made
    assert "<img" not in made
    assert "javascript:" not in made.lower()
    for tag, attributes in Tags(made).tags:
        assert tag in {"a", "p", "h3", "ul", "li", "pre", "code", *TABLE}
        allowed = {"href", "class", "scope", "tabindex", "role", "aria-label"}
        assert set(attributes) <= allowed
        assert attributes.get("href", "https://").startswith("https://")


def test_an_open_fence_ends_with_the_text():
    assert render_markdown("```\na") == '<pre tabindex="0"><code>a</code></pre>'
