"""Fail if a built page would ask another host for what it needs to be read.

``python docs/stands_alone.py docs/_build/html``: links that a reader may follow are
fine; scripts, styles, fonts, pictures and frames from elsewhere are not.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path

NEEDED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}
FETCHED = {"stylesheet", "preload", "icon", "shortcut icon", "manifest", "preconnect"}


class Requests(HTMLParser):
    """Collects the addresses that a browser opens by itself."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        """Look at one tag."""
        attrs = dict(attrs)
        address = attrs.get(NEEDED.get(tag, ""))
        if tag == "link" and attrs.get("rel") in FETCHED:
            address = attrs.get("href")
        if address and address.startswith(("http:", "https:", "//")):
            self.addresses.append(address)


def requests_of(page):
    """Return what a page, or a style sheet, asks other hosts for."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".css":
        return [
            part for part in text.split("url(")[1:] if part.lstrip("'\"")[:4] == "http"
        ]
    reader = Requests()
    reader.feed(text)
    return reader.addresses


def main(folder):
    """Print each request, and exit with their number."""
    pages = [p for kind in ("*.html", "*.css") for p in Path(folder).rglob(kind)]
    found = [(page, address) for page in pages for address in requests_of(page)]
    for page, address in found:
        print(f"{page}: {address[:120]}")
    print(f"{len(pages)} pages and styles, {len(found)} requests to other hosts")
    sys.exit(bool(found) or not pages)


if __name__ == "__main__":
    main(*sys.argv[1:])
