"""How much there may be of everything, in both directions."""

from typing import Final

MAX_CALLS: Final = 6
"""Of the model, for one question."""
MAX_SECONDS: Final = 30.0
"""For one question, calls and tools together."""
CONNECT_S: Final = 5.0
MAX_QUESTION: Final = 2000
"""Characters."""
MAX_ANSWER: Final = 8000
"""Characters; some two screens of text have 3,000."""
MAX_REPLY_BYTES: Final = 1 << 20
"""Of one reply as it comes. A streamed word of five letters takes some 250 bytes."""
MAX_LINE_BYTES: Final = 64 << 10
"""Of one event of a stream."""
MAX_REQUEST_BYTES: Final = 256 << 10
MAX_TOOL_CALLS: Final = 8
"""In one reply."""
MAX_ARGUMENTS: Final = 8 << 10
"""Characters of the arguments of one tool call."""
MAX_RESULT: Final = 16 << 10
"""Characters of what a tool gives back."""
MAX_FACTS: Final = 2000
MAX_HISTORY: Final = 12
"""Messages of the conversation before that the model is told again."""
MAX_WORD: Final = 120
"""Characters of a name, a tag or an id."""
MAX_ITEMS: Final = 10
"""Of one plan."""
MAX_ITEM_TEXT: Final = 1000
"""Characters."""
