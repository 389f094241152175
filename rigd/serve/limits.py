"""What callers may take of the server: quotas that an administrator sets, and limits that stay."""

from dataclasses import dataclass

from rigd.config import settings


@dataclass(frozen=True)
class Limits:
    """Quotas, as settings of the section `limits` have them. Those of a token do not hold for the local
    administrator, who has what the server has.
    """

    streams: int = settings.STREAMS.default
    streams_per_token: int = settings.STREAMS_PER_TOKEN.default
    channels_per_token: int = settings.CHANNELS_PER_TOKEN.default
    messages_per_second: int = settings.MESSAGES_PER_SECOND.default
    reads: int = settings.READS.default
    reads_per_token: int = settings.READS_PER_TOKEN.default
    connections: int = settings.CONNECTIONS.default
    connections_per_address: int = settings.CONNECTIONS_PER_ADDRESS.default
    marks_per_user: int = settings.MARKS_PER_USER.default
    pins_per_user: int = settings.PINS_PER_USER.default
    pinned_bytes_per_user: int = settings.PINNED_BYTES_PER_USER.default
