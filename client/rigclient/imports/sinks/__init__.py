"""Where imported laps are kept: a folder, a rig, or nowhere for a dry run."""
