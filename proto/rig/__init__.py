"""rig: the contract. Generated messages under `rig.v1`, the channel registry and column coding beside them."""
