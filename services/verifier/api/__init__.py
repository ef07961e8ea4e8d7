"""The verifier's HTTP part: tests of logins before they are saved, and lists of tags and images."""
