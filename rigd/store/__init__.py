"""What the archive keeps: the folder of laps, its index, marks, and the queue of commands."""
