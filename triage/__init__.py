"""Rules that people wrote and the words of the domain; imports none of the other packages."""
