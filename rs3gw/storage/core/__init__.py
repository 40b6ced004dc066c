"""Pure decisions of the object store: siblings, listing, ETags."""
