"""Pure: which changes of a read model an event means."""
