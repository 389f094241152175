"""Whether what is kept is sound: ring, loss journals, laps and index, each to its last byte and against
the others.

Nothing is changed. It works while recorder and archiver run, and when they do not. What looks wrong is looked
at again a moment later, for the archiver may have been half through with it.
"""
