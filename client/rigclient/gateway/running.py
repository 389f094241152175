"""How a gateway is to run: who may reach it decides on key and TLS."""

from rigclient.gateway.server import Settings


def settings(listen: str, port: int, rigs: tuple[str, ...]) -> Settings:
    """Return the settings for an address to listen at."""
    return Settings(listen, port, rigs)
