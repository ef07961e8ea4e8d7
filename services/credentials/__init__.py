"""The credentials service: commands over HTTP and the relay. It alone writes credential streams."""
