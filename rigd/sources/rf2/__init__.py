"""The game's side: its shared memory, read without ever being in its way, captured and played back."""
