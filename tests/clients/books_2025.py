"""The same shelf as components/examples/books/server.py, with the last SDK that knew no later revision than 2025-11-25."""

import sys

from mcp.server.fastmcp import FastMCP
from mcp.types import ToolAnnotations

server = FastMCP("books", port=int(sys.argv[1]))
shelf = {"Dune": "Frank Herbert", "Emma": "Jane Austen", "Ulysses": "James Joyce"}


def example(said: str) -> dict:
    return {"anyturn.dev/examples": [{"utterance": said, "arguments": {"title": "Dune"}}]}


@server.tool(
    annotations=ToolAnnotations(readOnlyHint=True), meta=example("who wrote Dune?"), structured_output=False
)
def find_book(title: str) -> str:
    """Tells who wrote a book of the shelf."""
    if title not in shelf:
        raise ValueError(f"There is no book “{title}” on the shelf.")
    return f"“{title}” is by {shelf[title]}."


@server.tool(
    annotations=ToolAnnotations(readOnlyHint=False, destructiveHint=True),
    meta=example("give away Dune"),
    structured_output=False,
)
def give_away_book(title: str) -> str:
    """Takes a book from the shelf for good."""
    del shelf[title]
    return f"Gave away “{title}”."


server.run(transport="streamable-http")
