"""Questions to a language model: what it is asked, what it may look at, and which answers are taken."""
