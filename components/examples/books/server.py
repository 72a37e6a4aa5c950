"""A shelf of books: an MCP server of its own, with the official SDK, on http://127.0.0.1:8000/mcp.

    pip install mcp
    python server.py [port]

The shelf lasts as long as the server.
"""

import sys

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

server = MCPServer("books", instructions="Books go by their titles.")
shelf = {"Dune": "Frank Herbert", "Emma": "Jane Austen", "Ulysses": "James Joyce"}


def examples(*pairs: tuple[str, dict]) -> dict:
    """What the offline model plans by; language models do not need it."""
    return {"anyturn.dev/examples": [{"utterance": said, "arguments": arguments} for said, arguments in pairs]}


def on_shelf(title: str) -> str:
    for known in shelf:
        if known.lower() == title.strip().lower():
            return known
    # The model reads it. Other exceptions are the server's own, and it says no more than that there was one.
    raise ToolError(f"There is no book “{title}” on the shelf; there are {', '.join(sorted(shelf)) or 'none'}.")


@server.tool(
    title="Find a book",
    # Reads only: it runs without asking, and is made again where its outcome is unknown.
    annotations=ToolAnnotations(read_only_hint=True),
    meta=examples(("who wrote Dune?", {"title": "Dune"}), ("find the book Emma", {"title": "Emma"})),
    structured_output=False,
)
def find_book(title: str) -> str:
    """Tells who wrote a book of the shelf."""
    known = on_shelf(title)
    return f"“{known}” is by {shelf[known]}."


@server.tool(
    title="Give a book away",
    # Destroys something: the user confirms each call. The same call twice does no more than once.
    annotations=ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True),
    meta=examples(("give away Dune", {"title": "Dune"}), ("give Emma away", {"title": "Emma"})),
    structured_output=False,
)
def give_away_book(title: str) -> str:
    """Takes a book from the shelf for good."""
    known = on_shelf(title)
    del shelf[known]
    return f"Gave away “{known}”."


if __name__ == "__main__":
    server.run(transport="streamable-http", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
