"""The archiver: closed laps become files, files become an index."""
