"""rigd as services of systemd: what is written where, what was written, and what an upgrade changes."""
