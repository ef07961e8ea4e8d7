"""What people and platforms send, read once: logins in every form, and how a wrong value is named. Pure."""
