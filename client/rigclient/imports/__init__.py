"""Files of other programs become laps, and go into a folder, onto a rig or into the warehouse.

A file is found (`discovery`), read by one of the `dialects` into a recording (`recording`), spooled as lap
files (`spooling`) and kept (`keeping`, `sinks`); `job` does so for many. Dialects are made of `text`,
`signals`, `channels`, `timing`, `loggers`, `collector` and `lmu`, which stream: any size of file, a part of
it in memory.
"""
