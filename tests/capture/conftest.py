"""The folder and the plugin of the reader's tests."""

from tests.sources.conftest import folder, plugin

__all__ = ["folder", "plugin"]
