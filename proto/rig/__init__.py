"""rig: the contract. Generated messages in `rig.v1`, the channel registry and column coding beside."""
