"""Pages, pictures and tables that lie elsewhere in the repository: they are shown from there, not copied."""

from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from rigd.config import annotated
from rigd.serve import limits

ROOT: Final = Path(__file__).resolve().parent.parent
INCLUDED: Final = {
    "channels.md": "proto/CHANNELS.md",
    "lap-files.md": "proto/ARCHIVE.md",
    "warehouse-schema.md": "client/rigclient/warehouse/SCHEMA.md",
    "peers.md": "tests/bench/PEERS.md",
    "costs.svg": "tests/bench/costs.svg",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}
"""Path in the site, and in the repository."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is included to what the folder of the pages holds."""
    for name, path in INCLUDED.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, **_page: object) -> str:
    """Put the tables of settings and limits where they belong: they are made from the definitions."""
    markdown = markdown.replace("<!-- settings -->", "\n".join(annotated.tables()))
    return markdown.replace("<!-- limits -->", limits.table())
