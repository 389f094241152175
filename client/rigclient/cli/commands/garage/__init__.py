"""Commands on what people enter: the catalog of a rig."""
