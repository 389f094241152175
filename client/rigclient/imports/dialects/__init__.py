"""One module per dialect: how the files of one program are recognised and read."""
