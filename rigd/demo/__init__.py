"""The simulated game: a race on an invented circuit, written into the real buffers as the plugin does."""
