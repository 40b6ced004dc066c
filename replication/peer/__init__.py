"""What other nodes may ask of this one about events and bodies."""
