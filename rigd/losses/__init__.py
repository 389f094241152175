"""What is missing of a session, and why: the account, its journal, and how far the streams reach."""
