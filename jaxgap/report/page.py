"""One self-contained HTML page: text, tables and figures in a single file that needs no network.

All untrusted text is escaped, and the page contains no script.
"""

import html
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.figure import Figure

from jaxgap.report.style import described, to_svg

_CSS = """
:root { color-scheme: only light; --ink: #222; --muted: #666; --line: #e3e3e3; --accent: #0072B2; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  color: var(--ink); background: #fff; max-width: 64rem; margin: 0 auto; padding: 2rem 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; }
.lead { color: var(--muted); margin: 0 0 1.5rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; }
.card b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.card span { color: var(--muted); font-size: .9rem; }
figure { margin: 1rem 0; }
figure svg { width: 100%; min-width: 36rem; height: auto; display: block; }
figcaption { color: var(--muted); font-size: .92rem; max-width: 46rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .3rem .75rem; border-bottom: 1px solid var(--line); text-align: right; }
td { white-space: nowrap; } td:last-child { white-space: normal; }
th:first-child, td:first-child, .words th:last-child, .words td:last-child { text-align: left; }
.words td:last-child { min-width: 16rem; }
th { color: var(--muted); font-weight: 600; }
ul.warnings { border-left: 4px solid #D55E00; margin: 1rem 0; padding: .25rem 0 .25rem 2rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--accent); }
pre { background: #f6f6f6; padding: .75rem 1rem; border-radius: .5rem; overflow-x: auto; }
"""


class Page:
    """An HTML page that grows from top to bottom."""

    def __init__(self, title: str, lead: str):
        self._title = title
        self._parts = [f"<h1>{_escape(title)}</h1>", f'<p class="lead">{_escape(lead)}</p>']

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{_escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """A paragraph of plain text."""
        self._parts.append(f"<p>{_escape(text)}</p>")

    def cards(self, cards: Iterable[tuple[str, str]]) -> None:
        """The few numbers that matter most, as pairs `(number, caption)`."""
        inner = "".join(
            f'<div class="card"><b>{_escape(number)}</b><span>{_escape(caption)}</span></div>'
            for number, caption in cards
        )
        self._parts.append(f'<div class="cards">{inner}</div>')

    def warnings(self, warnings: Sequence[str]) -> None:
        """What a reader must know before trusting the rest; omitted if empty."""
        if warnings:
            items = "".join(f"<li>{_escape(warning)}</li>" for warning in warnings)
            self._parts.append(f'<ul class="warnings">{items}</ul>')

    def figure(self, figure: Figure, caption: str) -> None:
        """A figure with a caption."""
        label = _escape(described(figure))
        svg = to_svg(figure).replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
        self._parts.append(
            f'<figure><div class="scroll">{svg}</div>'
            f"<figcaption>{_escape(caption)}</figcaption></figure>"
        )

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A table whose first column names its rows and whose last explains them."""
        self._parts.append(f'<div class="scroll words">{_table(header, rows)}</div>')

    def folded_table(
        self, summary: str, header: Sequence[str], rows: Iterable[Sequence[str]]
    ) -> None:
        """A long table, folded until the reader opens it."""
        self._parts.append(
            f"<details><summary>{_escape(summary)}</summary>"
            f'<div class="scroll">{_table(header, rows)}</div></details>'
        )

    def settings(self, summary: str, settings: Mapping[str, object]) -> None:
        """Names and values, folded."""
        rows = [(name, str(value)) for name, value in settings.items()]
        self.folded_table(summary, ("name", "value"), rows)

    def to_html(self) -> str:
        """The whole page."""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "style-src 'unsafe-inline'\">"
            f"<title>{_escape(self._title)}</title><style>{_CSS}</style></head>\n<body>"
            + "\n".join(self._parts)
            + "\n</body></html>\n"
        )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{_escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
