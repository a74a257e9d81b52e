"""fmc-edge: corporate SIM cards as full extensions of the virtual PBX."""
