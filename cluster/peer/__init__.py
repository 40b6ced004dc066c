"""What other nodes may ask of this one; every request is signed."""
