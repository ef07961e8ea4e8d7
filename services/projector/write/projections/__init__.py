"""Pure functions from an event to the changes of a read model."""
