"""Where mappings are kept: in memory, or in the state file."""
